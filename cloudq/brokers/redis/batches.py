"""Batches as calls: no script is given more than it should do at once, for all others wait meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloudq.brokers.base import DEDUPLICATION
from cloudq.brokers.redis import scripts, texts
from cloudq.delivery import Outgoing
from cloudq.queues import FIFO_SUFFIX
from cloudq.redis import Call
from cloudq.redis.calls import MOST, Word

__all__ = ["MOST_BYTES", "milliseconds", "sending"]

MOST_BYTES = 16 * 1024 * 1024
"""Bytes that a script is given, or answers, at most; one message is always allowed."""


def sending(
    queue: str, key: str, messages: Sequence[Outgoing], ahead: int
) -> list[tuple[Call, Sequence[Outgoing]]]:
    """The calls that send messages, in their order, each with what it sends.

    Args:
        queue: Where to.
        key: Its key.
        messages: What.
        ahead: Milliseconds by which the scripts' time is ahead of the server's.
    """
    make = _sending_fifo if queue.endswith(FIFO_SUFFIX) else _sending
    return [(make(key, part, ahead), part) for part in _by_bytes(messages)]


def milliseconds(seconds: float) -> int:
    """As the scripts take it: a century in place of infinity, and never less than nothing."""
    return max(0, round(min(seconds, _LONGEST) * 1000))


_LONGEST = 100 * 366 * 86_400.0
"""A century, in seconds."""


def _by_bytes(messages: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    if len(messages) == 1:
        yield messages
        return
    first = size = 0
    for at, message in enumerate(messages):
        size += len(message.body)
        if at > first and (at - first == MOST or size > MOST_BYTES):
            yield messages[first:at]
            first, size = at, len(message.body)
    yield messages[first:]


def _sending(key: str, messages: Sequence[Outgoing], ahead: int) -> Call:
    later: list[Word] = []
    now: list[bytes] = []
    largest = 0
    for one in messages:
        text = texts.outgoing(one)
        largest = max(largest, len(text))
        if one.delay > 0:
            later += (milliseconds(one.delay), text)
        else:
            now.append(text)
    return scripts.SEND.call([key], [ahead, largest, len(later) // 2, *later, *now])


def _sending_fifo(key: str, messages: Sequence[Outgoing], ahead: int) -> Call:
    words: list[Word] = []
    largest = 0
    for one in messages:
        text = texts.outgoing(one)
        largest = max(largest, len(text))
        words += (one.deduplication_id or one.id, milliseconds(DEDUPLICATION), one.group or one.id)
        words += (milliseconds(one.delay), text)
    return scripts.SEND_FIFO.call([key], [ahead, largest, *words])
