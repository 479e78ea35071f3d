"""Receives that may be repeated: what each `ReceiveRequestAttemptId` of the last five minutes brought.

Source: Amazon SQS API Reference, ReceiveMessage, read 2026-11.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.message import LEASED
from cloudq_emulator.sqs.refusals import ATTEMPT_IS_OVER

if TYPE_CHECKING:
    from cloudq_emulator.sqs.engine.message import Message

Received = list[tuple["Message", str]]
"""Messages, each with its receipt handle."""


class Attempts:
    """What the receives of one FIFO queue brought, by attempt id.

    Invariant: a receive is kept whole until one of its messages is touched; then only its id is, to be
    refused.
    """

    __slots__ = ("_by_message", "_seen")

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[float, Received]] = OrderedDict()
        self._by_message: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def recall(self, attempt: str, now: float) -> Received:
        """What the receive of this id brought; nothing if there was none.

        Raises:
            SqsError: Its messages aren't out any more as they were then.
        """
        self._forget_before(now - limits.ATTEMPT)
        if attempt not in self._seen:
            return []
        _, received = self._seen[attempt]
        if not received or any(message.state is not LEASED for message, _ in received):
            raise ATTEMPT_IS_OVER.error(value=attempt)
        return received

    def remember(self, attempt: str, received: Received, now: float) -> None:
        """Note what a receive brought."""
        for message, _ in received:
            self.touch(message)
            self._by_message[message.number] = attempt
        self._seen[attempt] = (now, received)

    def touch(self, message: Message) -> None:
        """A message is gone, given out again, or its lease changed: its receive can't be repeated."""
        attempt = self._by_message.pop(message.number, None)
        if attempt is not None:
            at, received = self._seen[attempt]
            self._seen[attempt] = (at, [])
            self._release(received)

    def clear(self) -> None:
        """Forget everything."""
        self._seen.clear()
        self._by_message.clear()

    def _forget_before(self, at: float) -> None:
        while self._seen:
            attempt, (received_at, received) = next(iter(self._seen.items()))
            if received_at > at:
                return
            del self._seen[attempt]
            self._release(received)

    def _release(self, received: Received) -> None:
        for message, _ in received:
            self._by_message.pop(message.number, None)
