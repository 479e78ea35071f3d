"""In which order messages are handed out: the seam between standard, FIFO and fair queues."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from cloudq_emulator.sqs.engine.message import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    def leave(self, message: Message) -> None:
        """A message that arrived once is gone: from the line if its state is ready, else from outside."""
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
    """First come, first served; a message that comes back goes to the end.

    One that is gone stays in line until it surfaces, or until such ones outnumber the ready.
    """

    __slots__ = ("_gone", "_line")

    def __init__(self) -> None:
        self._line: deque[Message] = deque()
        self._gone = 0

    def begin_receive(self) -> None:
        """One receive is like another here."""

    def arrive(self, message: Message) -> None:
        self._line.append(message)

    def come_back(self, message: Message) -> None:
        self._line.append(message)

    def take(self) -> Message | None:
        line = self._line
        while line:
            message = line.popleft()
            if message.state is READY:
                return message
            self._gone -= 1
        return None

    def leave(self, message: Message) -> None:
        if message.state is not READY:
            return  # it was leased, and so not in line
        self._gone += 1
        if self._gone > len(self._line) // 2 + _SLACK:
            self._line = deque(other for other in self._line if other.state is READY and other is not message)
            self._gone = 0

    def has_next(self) -> bool:
        return len(self._line) > self._gone

    def clear(self) -> None:
        self._line.clear()
        self._gone = 0

    def __iter__(self) -> Iterator[Message]:
        return (message for message in self._line if message.state is READY)
