"""Long polls that outlive the receive that began them, and what they bring when nobody is waiting.

A receive waits for several queues at once by one poll each, and returns with the first answer. The other
polls go on: cut off, they would strand what SQS was about to hand out for a whole lease. The next receive
joins them, so that an idle queue costs one request for each 20 seconds, however often somebody asks. What a
poll brings while nobody asks is held for a while, and then given back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cloudq.clock import Clock
from cloudq.delivery import Delivery

__all__ = ["Brought", "Polls"]

HOLD = 20.0
"""Seconds for which a message is held for the next receive before it is given back; half a lease if that is
less. As long as a poll can last: given back earlier, it would go to the poll of another consumer that is just
as busy, and from there to the next, and each counts as a receive."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Brought:
    """A delivery out of a poll.

    Args:
        delivery: What came.
        lease: The lease that it was asked for with, in seconds.
        arrived_at: When it came, on the monotonic clock: its lease began before that.
    """

    delivery: Delivery
    lease: float
    arrived_at: float


@dataclass(eq=False, slots=True)
class _Poll:
    queue: str
    lease: float
    limit: int
    wait: int
    held: list[Brought] = field(default_factory=list[Brought])


class Polls:
    """One process's outstanding polls, at most one a queue.

    Args:
        request: Makes one ReceiveMessage: queue, limit, lease, wait.
        give_back: Makes deliveries visible again.
        clock: What measures.
    """

    def __init__(
        self,
        request: Callable[[str, int, float, int], list[Delivery]],
        give_back: Callable[[Sequence[Delivery]], None],
        clock: Clock,
    ) -> None:
        self._request = request
        self._give_back = give_back
        self._clock = clock
        self._changed = threading.Condition()
        self._outstanding: dict[str, _Poll] = {}
        self._holding: list[_Poll] = []
        self._errors: dict[str, Exception] = {}
        self._running = 0
        self._when_idle: Callable[[], None] | None = None
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def is_polled(self, queue: str) -> bool:
        """Whether a poll of this queue is on its way."""
        with self._changed:
            return queue in self._outstanding

    def start(self, queue: str, *, limit: int, lease: float, wait: int) -> None:
        """Begin a poll, unless there is one already or what an earlier one said hasn't been heard."""
        poll = _Poll(queue, lease, limit, wait)
        # Not a daemon: the interpreter waits for the answer, so that what it brings isn't stranded.
        thread = threading.Thread(target=self._run, args=(poll,), name=f"cloudq-poll-{queue}", daemon=False)
        with self._changed:
            # Race: one may have ended since the caller looked.
            if self._is_closed or queue in self._outstanding or self._has_news(queue):
                return
            thread.start()
            self._outstanding[queue] = poll
            self._running += 1

    def take(self, queues: Sequence[str], limit: int) -> list[Brought]:
        """What polls of these queues have brought, the first queue's first."""
        with self._changed:
            taken: list[Brought] = []
            for queue in queues:
                for poll in self._holding:
                    if poll.queue == queue:
                        room = limit - len(taken)
                        taken += poll.held[:room]
                        del poll.held[:room]
            if taken:
                self._changed.notify_all()
            return taken

    def errors(self, queues: Sequence[str]) -> dict[str, Exception]:
        """What polls of these queues failed with since this was last asked, by queue."""
        with self._changed:
            return {queue: self._errors.pop(queue) for queue in queues if queue in self._errors}

    def wait(self, queues: Sequence[str], until: float) -> None:
        """Wait until a poll of these queues has ended, or the monotonic clock reads `until`, or `close`."""
        with self._changed:
            while not self._is_closed and self._clock.monotonic() < until and self._are_silent(queues):
                self._clock.wait(self._changed, until)

    def close(self, when_idle: Callable[[], None]) -> None:
        """Start no more polls, give back what is held, and call `when_idle` once the last poll has ended."""
        with self._changed:
            self._is_closed = True
            self._when_idle = when_idle
            self._changed.notify_all()
            is_idle = self._running == 0
        if is_idle:
            when_idle()

    def _are_silent(self, queues: Sequence[str]) -> bool:
        return all(queue in self._outstanding and not self._has_news(queue) for queue in queues)

    def _has_news(self, queue: str) -> bool:
        return queue in self._errors or any(poll.held for poll in self._holding if poll.queue == queue)

    def _run(self, poll: _Poll) -> None:
        deliveries: list[Delivery] = []
        error: Exception | None = None
        try:
            deliveries = self._request(poll.queue, poll.limit, poll.lease, poll.wait)
        except Exception as raised:  # noqa: BLE001 - raised again in the receive that waits
            error = raised
        left = self._hold(poll, deliveries, error)
        try:
            if left:
                logger.debug(
                    "nobody asked for what a poll brought: it is given back",
                    extra={"action": "poll_given_back", "queue": poll.queue, "count": len(left)},
                )
                self._give_back([brought.delivery for brought in left])
        finally:
            self._end()

    def _hold(self, poll: _Poll, deliveries: Sequence[Delivery], error: Exception | None) -> list[Brought]:
        with self._changed:
            arrived_at = self._clock.monotonic()
            poll.held = [Brought(delivery, poll.lease, arrived_at) for delivery in deliveries]
            self._holding.append(poll)
            del self._outstanding[poll.queue]
            if error is not None:
                self._errors[poll.queue] = error
            self._changed.notify_all()
            until = arrived_at + min(HOLD, poll.lease / 2)
            while poll.held and not self._is_closed and self._clock.monotonic() < until:
                self._clock.wait(self._changed, until)
            left, poll.held = poll.held, []
            self._holding.remove(poll)
            return left

    def _end(self) -> None:
        with self._changed:
            self._running -= 1
            when_idle = self._when_idle if self._running == 0 else None
        if when_idle is not None:
            when_idle()
