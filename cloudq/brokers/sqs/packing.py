"""What goes into the next batch: by count, by bytes, and one message of each FIFO group at a time. Pure.

A batch may be accepted in part. Were two messages of one group in it, or in two batches on their way at once,
the later could be accepted without the earlier, and the group would be out of order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cloudq.brokers.sqs.entries import MAX_BYTES, Entry

__all__ = ["MAX_ENTRIES", "Backlog", "Ticket"]

MAX_ENTRIES = 10
"""Of a batch. Source: SQS quotas, messages, read 2026-11."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One entry's way through a batch.

    Args:
        entry: What is to be sent.
        answer: What became of it, once that is known.
        is_withdrawn: Whether nobody wants it sent any more.
    """

    entry: Entry
    answer: Any = None
    is_answered: bool = False
    is_withdrawn: bool = False


@dataclass(slots=True)
class Backlog:
    """What waits to be sent to one queue, in order.

    Args:
        max_bytes: Of a batch.
    """

    max_bytes: int = MAX_BYTES
    _free: deque[Ticket] = field(default_factory=deque[Ticket])
    _lanes: dict[str, deque[Ticket]] = field(default_factory=dict[str, deque[Ticket]])
    _ready: deque[str] = field(default_factory=deque[str])
    """Lanes with something to send and nothing on its way."""

    def add(self, tickets: Iterable[Ticket]) -> None:
        """Put tickets behind what waits."""
        for ticket in tickets:
            lane = ticket.entry.lane
            if lane is None:
                self._free.append(ticket)
            elif lane in self._lanes:
                self._lanes[lane].append(ticket)
            else:
                self._lanes[lane] = deque([ticket])
                self._ready.append(lane)

    def has_batch(self) -> bool:
        """Whether there is anything to take."""
        self._drop_withdrawn()
        return bool(self._free or self._ready)

    def has_full_batch(self) -> bool:
        """Whether as many messages as a batch may have could be taken now."""
        return len(self._free) + len(self._ready) >= MAX_ENTRIES

    def take(self) -> list[Ticket]:
        """The next batch; `done` must follow."""
        batch: list[Ticket] = []
        room = self.max_bytes
        while self.has_batch() and len(batch) < MAX_ENTRIES:
            source = self._free or self._lanes[self._ready[0]]
            size = source[0].entry.size_bytes
            if batch and size > room:
                break
            room -= size
            batch.append(source.popleft())
            if source is not self._free:
                self._ready.popleft()
        return batch

    def done(self, batch: Iterable[Ticket]) -> None:
        """Let the lanes of a batch go on."""
        for lane in (ticket.entry.lane for ticket in batch):
            if lane is None:
                continue
            if self._lanes[lane]:
                self._ready.append(lane)
            else:
                del self._lanes[lane]

    def _drop_withdrawn(self) -> None:
        while self._free and self._free[0].is_withdrawn:
            self._free.popleft()
        while self._ready:
            lane = self._lanes[self._ready[0]]
            while lane and lane[0].is_withdrawn:
                lane.popleft()
            if lane:
                return
            del self._lanes[self._ready.popleft()]
