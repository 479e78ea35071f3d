"""Long polls: receives that wait, woken by an arrival, the end of a delay or a lease, or the clock."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.actions import Reception

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudq_emulator.clock import MovableClock
    from cloudq_emulator.sqs.engine.moves import MoveTasks
    from cloudq_emulator.sqs.engine.queue import Queue


@dataclass(slots=True, eq=False)
class _Poll:
    """One receive that waits.

    Args:
        reception: What to try.
        until: When it ends empty-handed on the movable clock; real time ends it as well.
        answer: Where the answer goes.
    """

    reception: Reception
    until: float
    answer: asyncio.Future[dict[str, Any]]


class LongPolls:
    """The receives that wait, those of one queue in the order in which they came.

    One timer of the loop is armed for the earliest moment at which something may end a wait. The queues
    tell us of what happens to them (we are their watcher), but only while somebody waits on them.

    Args:
        clock: The time that queues live by.
        moves: The move tasks, which bring messages by themselves.
    """

    def __init__(self, clock: MovableClock, moves: MoveTasks) -> None:
        self._clock = clock
        self._moves = moves
        self._polls: dict[Queue, deque[_Poll]] = {}
        self.woken: list[Queue] = []
        """Watched queues that have messages since the last `serve`."""
        self._timer: asyncio.TimerHandle | None = None
        self._armed_for: float | None = None
        self.attempt: Callable[[Reception, float], dict[str, Any]] = Reception.attempt
        """Tries a receive; faults stand in for it."""
        clock.watch(self._tick)

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(map(len, self._polls.values()))

    def wait(self, reception: Reception) -> asyncio.Future[dict[str, Any]]:
        """Wait, from this very moment, until `reception` finds messages or its time is over.

        Its time is over on the movable clock or in reality, whichever is first: with the clock frozen a
        client still gets its answer before it gives up on the connection. Who no longer wants the answer
        cancels it.
        """
        loop = asyncio.get_running_loop()
        poll = _Poll(reception, self._clock.now() + reception.wait, loop.create_future())
        # Race: entered by a task, it would miss what arrives before the loop comes to that task.
        self._enter(poll)
        real_end = loop.call_later(reception.wait, _answer, poll, {})

        def leave(_: object) -> None:
            real_end.cancel()
            self._leave(poll)

        poll.answer.add_done_callback(leave)
        return poll.answer

    def became_ready(self, queue: Queue) -> None:
        """A watched queue has a message; it is handed out by `serve`, once the operation is through."""
        self.woken.append(queue)

    def will_be_due(self, at: float) -> None:
        """A delay or a lease of a watched queue ends `at`."""
        if self._armed_for is None or at < self._armed_for:
            self._arm(at)

    def serve(self) -> None:
        """Hand what arrived to those who wait for it. Called after every operation."""
        now = self._clock.now()
        while self.woken:
            self._serve(self.woken.pop(), now)

    def release(self, queue: Queue | None = None) -> None:
        """End the waits on a queue that is deleted, or all, with no messages."""
        for one in [queue] if queue is not None else list(self._polls):
            for poll in self._polls.get(one, ()):
                _answer(poll, {})

    def _enter(self, poll: _Poll) -> None:
        queue = poll.reception.queue
        self._polls.setdefault(queue, deque()).append(poll)
        queue.watcher = self
        times = (poll.until, queue.next_due_at(), self._moves.next_due_at())
        self.will_be_due(min(time for time in times if time is not None))

    def _leave(self, poll: _Poll) -> None:
        queue = poll.reception.queue
        polls = self._polls[queue]
        polls.remove(poll)
        if not polls:
            del self._polls[queue]
            queue.watcher = None

    def _serve(self, queue: Queue, now: float) -> None:
        for poll in self._polls.get(queue, ()):
            if poll.answer.done():
                continue
            answer = self.attempt(poll.reception, now)
            if not answer:
                return
            poll.answer.set_result(answer)

    def _tick(self) -> None:
        """Something may be due, or the clock was moved: look at every queue that is waited on."""
        now = self._clock.now()
        self._moves.advance(now)
        for queue, polls in list(self._polls.items()):
            queue.advance(now)
            self.serve()
            for poll in polls:
                if poll.until <= now:
                    _answer(poll, {})
        times = [*map(self._next_at, self._polls), self._moves.next_due_at()] if self._polls else []
        self._arm(min(filter(None, times), default=None))

    def _next_at(self, queue: Queue) -> float | None:
        times = [poll.until for poll in self._polls[queue] if not poll.answer.done()]
        due_at = queue.next_due_at()
        return min(times if due_at is None else [*times, due_at], default=None)

    def _arm(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._armed_for = None, at
        delay = None if at is None else self._clock.real_delay(at)
        if delay is not None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)


def _answer(poll: _Poll, answer: dict[str, Any]) -> None:
    if not poll.answer.done():
        poll.answer.set_result(answer)
