"""SendMessageBatch: put up to ten messages in a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.actions.batch import each, entries_of
from cloudq_emulator.sqs.actions.send_message import message_bytes, read_message, sent
from cloudq_emulator.sqs.errors import SqsError
from cloudq_emulator.sqs.refusals import (
    BATCH_TOO_LONG,
    BODY_IS_MISSING,
    DEDUPLICATION_IS_MISSING,
    EMPTY_VALUE,
    GROUP_IS_MISSING_IN_BATCH,
    MESSAGE_TOO_LONG,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.engine.queue import Queue


def send_message_batch(call: Call) -> dict[str, Any]:
    """Answer which messages were taken and which were not.

    All are read before any is sent: the limit on their total refuses the whole batch, and on a FIFO queue
    an entry that can't be taken does, too.
    """
    queue = call.queue()
    entries = entries_of(call, "SendMessageBatchRequestEntry")
    if queue.settings.is_fifo:
        _check_groups(queue, entries)
    read = [_read(call, queue, entry, number) for number, entry in enumerate(entries, 1)]
    size_bytes = sum([size for _, size in read])
    if size_bytes > limits.MESSAGE_BYTES:
        raise BATCH_TOO_LONG.error(limit_bytes=limits.MESSAGE_BYTES, size_bytes=size_bytes)
    if queue.settings.is_fifo:
        _refuse_with_any(queue, read)
    coming = iter(read)

    def send(_entry: Mapping[str, Any]) -> dict[str, Any]:
        message, size = next(coming)
        if isinstance(message, SqsError):
            raise message
        if size > queue.settings.size_bytes:
            raise MESSAGE_TOO_LONG.error(limit_bytes=queue.settings.size_bytes)
        return sent(queue.send(message, call.now))

    return each(entries, send)


def _check_groups(queue: Queue, entries: Sequence[Mapping[str, Any]]) -> None:
    for number, entry in enumerate(entries, 1):
        if not entry.get("MessageBody"):
            raise BODY_IS_MISSING.error(number=number)
        if entry.get("MessageGroupId") is None:
            raise GROUP_IS_MISSING_IN_BATCH.error()
        if entry.get("MessageDeduplicationId") is None and not queue.settings.is_deduplicated_by_content:
            raise DEDUPLICATION_IS_MISSING.error()


def _refuse_with_any(queue: Queue, read: Sequence[tuple[Message | SqsError, int]]) -> None:
    for message, size in read:
        if isinstance(message, SqsError):
            raise message
        if size > queue.settings.size_bytes:
            raise MESSAGE_TOO_LONG.error(limit_bytes=queue.settings.size_bytes)


def _read(call: Call, queue: Queue, entry: Mapping[str, Any], number: int) -> tuple[Message | SqsError, int]:
    try:
        if not entry.get("MessageBody"):
            raise EMPTY_VALUE.error(number=number)
        message = read_message(call, queue, entry)
    except SqsError as error:
        return error, 0
    return message, message_bytes(message)
