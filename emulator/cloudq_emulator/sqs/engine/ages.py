"""Which messages are past their retention."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudq_emulator.sqs.engine.message import Message

_SLACK = 64
"""Gone messages that are tolerated besides as many as there are others."""


class Ages:
    """A queue's messages by the time they were sent.

    Nearly all come in that order, so they stand in line and cost next to nothing; only those that don't, as
    dead letters of a standard queue, need a heap. Who is gone stays until noticed.

    Args:
        held: The queue's messages by number; one that isn't among them is gone.
    """

    __slots__ = ("_held", "_line", "_others", "oldest_at")

    def __init__(self, held: Mapping[int, Message]) -> None:
        self._held = held
        self._line: deque[Message] = deque()
        self._others: list[tuple[float, int, Message]] = []
        self.oldest_at = math.inf
        """No message was sent before this."""

    def __len__(self) -> int:
        return len(self._line) + len(self._others)

    def put(self, message: Message) -> None:
        """Take in a message that the queue holds from now on."""
        line = self._line
        if not line or line[-1].sent_at <= message.sent_at:
            line.append(message)
        else:
            heapq.heappush(self._others, (message.sent_at, message.number, message))
        if message.sent_at < self.oldest_at:  # noqa: PLR1730 - on the hottest path, where a call to min costs more
            self.oldest_at = message.sent_at

    def trim(self) -> None:
        """Let go of those that are gone, once they are too many. Called whenever one is."""
        if len(self._line) + len(self._others) > 2 * len(self._held) + _SLACK:
            self._sweep()

    def until(self, at: float) -> Iterator[Message]:
        """Take out, one by one, the messages that were sent by `at`."""
        line, others = self._line, self._others
        while line and (line[0].sent_at <= at or not self._is_held(line[0])):
            message = line.popleft()
            if self._is_held(message):
                yield message
        while others and others[0][0] <= at:
            message = heapq.heappop(others)[2]
            if self._is_held(message):
                yield message
        self.oldest_at = min(line[0].sent_at if line else math.inf, others[0][0] if others else math.inf)

    def clear(self) -> None:
        """All messages are gone."""
        self._line.clear()
        self._others.clear()
        self.oldest_at = math.inf

    def _is_held(self, message: Message) -> bool:
        return self._held.get(message.number) is message

    def _sweep(self) -> None:
        kept = [message for message in self._line if self._is_held(message)]
        self._line.clear()
        self._line.extend(kept)
        self._others[:] = [entry for entry in self._others if self._is_held(entry[2])]
        heapq.heapify(self._others)
