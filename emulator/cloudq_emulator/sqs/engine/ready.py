"""In which order messages are handed out: the seam between standard, FIFO and fair queues."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from typing import TYPE_CHECKING, Protocol

from cloudq_emulator.sqs.engine.message import READY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloudq_emulator.sqs.engine.message import Message

_SLACK = 64
"""Messages that left otherwise than by `take` and are tolerated in line, besides as many as are ready."""


class Line(Protocol):
    """The messages of one queue that wait to be received."""

    def begin_receive(self) -> None:
        """What is taken from now on is one receive's."""
        ...

    def arrive(self, message: Message) -> None:
        """A message becomes ready for the first time, its delay over."""
        ...

    def come_back(self, message: Message) -> None:
        """A message becomes ready again, its lease over."""
        ...

    def take(self) -> Message | None:
        """The next message; None when there is none to be had now."""
        ...

    def leave(self, message: Message, *, was_ready: bool) -> None:
        """A message that arrived once is gone: from the line if it was ready, else from outside."""
        ...

    def has_next(self) -> bool:
        """Whether `take` would find something."""
        ...

    def clear(self) -> None:
        """All messages are gone."""
        ...

    def __iter__(self) -> Iterator[Message]:
        """The ready messages, in about the order in which they would be taken."""
        ...


class StandardLine:
    """The oldest first; a message that comes back is as old as it was.

    Invariant: every ready message has an entry. Entries whose message is gone or out stay until they
    surface, or until such ones outnumber the ready.
    """

    __slots__ = ("_gone", "_line", "_next", "_returned")

    def __init__(self) -> None:
        self._line: deque[Message] = deque()
        self._returned: list[tuple[int, int, Message]] = []
        self._next = itertools.count().__next__
        self._gone = 0

    def begin_receive(self) -> None:
        """One receive is like another here."""

    def arrive(self, message: Message) -> None:
        self._line.append(message)

    def come_back(self, message: Message) -> None:
        heapq.heappush(self._returned, (message.number, self._next(), message))

    def take(self) -> Message | None:
        line, returned = self._line, self._returned
        while line or returned:
            if not returned or (line and line[0].number < returned[0][0]):
                message = line.popleft()
            else:
                message = heapq.heappop(returned)[2]
            if message.state is READY:
                return message
            self._gone -= 1
        return None

    def put_first(self, messages: Sequence[Message]) -> None:
        """Put back what was just taken, in this order."""
        self._line.extendleft(reversed(messages))

    def next_number(self) -> int | None:
        """The number of the message that `take` would find."""
        line, returned = self._line, self._returned
        while line and line[0].state is not READY:
            line.popleft()
            self._gone -= 1
        while returned and returned[0][2].state is not READY:
            heapq.heappop(returned)
            self._gone -= 1
        numbers = (*(returned[0][:1] if returned else ()), *((line[0].number,) if line else ()))
        return min(numbers, default=None)

    def leave(self, message: Message, *, was_ready: bool) -> None:  # noqa: ARG002 - entries aren't searched for
        if was_ready:
            self._gone += 1
            if self._gone > (len(self._line) + len(self._returned)) // 2 + _SLACK:
                self._sweep()

    def hold(self, message: Message) -> None:
        """A ready message goes out without being taken: its lease, though over, is extended."""
        self.leave(message, was_ready=True)

    def has_next(self) -> bool:
        return len(self._line) + len(self._returned) > self._gone

    def clear(self) -> None:
        self._line.clear()
        self._returned.clear()
        self._gone = 0

    def __iter__(self) -> Iterator[Message]:
        back = [message for _, _, message in sorted(self._returned)]
        return (
            message for message in dict.fromkeys(itertools.chain(back, self._line)) if message.state is READY
        )

    def _sweep(self) -> None:
        self._line = deque(sorted(self, key=lambda message: message.number))
        self._returned.clear()
        self._gone = 0
