"""Progress: what the queues and the result backend say while the work is done, and when to give up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudq.clock import Clock
from cloudq.results import FINAL, AsyncResult
from examples.demo.cloud import Cloud, Depth
from examples.demo.inputs import QUEUES, Work

STALL = 10.0
"""Seconds without any change, and nothing in hand, after which nothing more is expected."""

LIMIT = 50.0
"""Seconds after which the demo ends in any case."""

_EVERY = 0.2

Sent = Sequence[tuple[Work, AsyncResult[Any]]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One look at everything.

    Args:
        depths: Each queue's attributes.
        states: How many of each queue's messages are in which state, by the result backend.
    """

    depths: Mapping[str, Depth]
    states: Mapping[str, Counter[str]]

    def finished(self, queue: str) -> int:
        """Messages of a queue whose record is final."""
        return sum(count for state, count in self.states[queue].items() if state in FINAL)

    def is_complete(self, sent: Sent) -> bool:
        """Whether everything that was sent has ended and the queues are empty."""
        finished = sum(self.finished(queue) for queue in self.depths)
        return finished == len(sent) and not any(depth.open for depth in self.depths.values())


def look(cloud: Cloud, sent: Sent) -> Snapshot:
    """Ask every queue for its attributes and the backend for every record."""
    states: dict[str, Counter[str]] = {queue: Counter() for queue in QUEUES}
    for work, result in sent:
        states[work.queue][result.state] += 1
    return Snapshot({queue: cloud.depth(queue) for queue in QUEUES}, states)


def watch(
    cloud: Cloud, sent: Sent, clock: Clock, *, show: Callable[[Snapshot], None], check: Callable[[], None]
) -> bool:
    """Look until all is done; True then, False when nothing moves any more.

    Args:
        cloud: The queues.
        sent: The messages.
        clock: Waits.
        show: Gets each snapshot.
        check: Raises if a process has ended.
    """
    began = moved = clock.monotonic()
    last = None
    while True:
        check()
        snapshot = look(cloud, sent)
        show(snapshot)
        if snapshot.is_complete(sent):
            return True
        now = clock.monotonic()
        # What somebody has in hand may take its time: a first plot waits for matplotlib to look at all fonts.
        if snapshot != last or any(depth.leased for depth in snapshot.depths.values()):
            last, moved = snapshot, now
        if now - moved > STALL or now - began > LIMIT:
            return False
        clock.sleep(_EVERY)
