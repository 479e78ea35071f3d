"""SendMessageBatch: put up to ten messages in a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.actions.batch import each, entries_of
from cloudq_emulator.sqs.actions.send_message import check_size, message_bytes, read_message, sent
from cloudq_emulator.sqs.errors import BATCH_TOO_LONG, SqsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.engine.queue import Queue


def send_message_batch(call: Call) -> dict[str, Any]:
    """Answer which messages were taken and which were not.

    All are read before any is sent: the limit on their total refuses the whole batch.
    """
    queue = call.queue()
    entries = entries_of(call, "SendMessageBatchRequestEntry")
    messages = {entry["Id"]: _read(call, queue, entry) for entry in entries}
    sizes = {id_: message_bytes(one) for id_, one in messages.items() if not isinstance(one, SqsError)}
    if sum(sizes.values()) > limits.MESSAGE_BYTES:
        raise BATCH_TOO_LONG.error(limit_bytes=limits.MESSAGE_BYTES, size_bytes=sum(sizes.values()))

    def send(entry: Mapping[str, Any]) -> dict[str, Any]:
        message = messages[entry["Id"]]
        if isinstance(message, SqsError):
            raise message
        check_size(queue, sizes[entry["Id"]])
        return sent(queue.send(message, call.now))

    return each(entries, send)


def _read(call: Call, queue: Queue, entry: Mapping[str, Any]) -> Message | SqsError:
    try:
        return read_message(call, queue, entry)
    except SqsError as error:
        return error
