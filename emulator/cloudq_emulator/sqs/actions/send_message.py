"""SendMessage: put one message in a queue."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.call import IDENTIFIER, integer
from cloudq_emulator.sqs.engine import attributes
from cloudq_emulator.sqs.engine.message import Message, digest
from cloudq_emulator.sqs.refusals import (
    DEDUPLICATION_IS_MISSING,
    DELAY_RANGE,
    INVALID_ATTRIBUTE_TYPE,
    INVALID_GROUP,
    INVALID_MESSAGE_CONTENTS,
    INVALID_SYSTEM_ATTRIBUTE,
    MESSAGE_TOO_LONG,
    MISSING_PARAMETER,
    NOT_FOR_THIS_TYPE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.queue import Queue

_TRACE: Final = "AWSTraceHeader"
_PLAIN: Final = 2
"""Parameters of a message that is only a body, as most are: it, and the queue's URL or the entry's id."""


def send_message(call: Call) -> dict[str, Any]:
    """Answer the message's id and digests."""
    queue = call.queue()
    message = read_message(call, queue, call.params)
    if message_bytes(message) > queue.settings.size_bytes:
        raise MESSAGE_TOO_LONG.error(limit_bytes=queue.settings.size_bytes)
    return sent(queue.send(message, call.now))


def read_message(call: Call, queue: Queue, entry: Mapping[str, Any]) -> Message:
    """Make a message of a request or of a batch's entry.

    Raises:
        SqsError: SQS wouldn't take it.
    """
    body = entry.get("MessageBody")
    if not body:
        raise MISSING_PARAMETER.error(name="MessageBody")
    if not attributes.is_writable(body):
        raise INVALID_MESSAGE_CONTENTS.error(code=ord(attributes.first_unwritable(body)))
    message = Message(body, digest(body), call.account, call.now)
    if len(entry) == _PLAIN and not queue.settings.is_fifo and not call.trace:
        return message
    message.delay = _delay(queue, entry)
    if entry.get("MessageAttributes"):
        message.attributes = attributes.check(entry["MessageAttributes"])
        message.attributes_md5 = attributes.digest(message.attributes)
    if entry.get("MessageSystemAttributes"):
        _read_trace(message, entry["MessageSystemAttributes"])
    elif call.trace:
        message.trace = call.trace
    _read_group(queue, message, entry)
    return message


def message_bytes(message: Message) -> int:
    """What a message counts towards the limits."""
    size = len(message.body.encode()) if not message.body.isascii() else len(message.body)
    return size + attributes.size_bytes(message.attributes) if message.attributes else size


def sent(message: Message) -> dict[str, Any]:
    """What is answered for a message that was taken."""
    answer = {"MessageId": message.id, "MD5OfMessageBody": message.body_md5}
    if message.attributes_md5:
        answer["MD5OfMessageAttributes"] = message.attributes_md5
    if message.trace_md5:
        answer["MD5OfMessageSystemAttributes"] = message.trace_md5
    if message.sequence:
        answer["SequenceNumber"] = message.sequence
    return answer


def _delay(queue: Queue, entry: Mapping[str, Any]) -> int | None:
    if entry.get("DelaySeconds") is None:
        return None
    delay = integer(entry, "DelaySeconds", (0, limits.DELAY), DELAY_RANGE)
    if delay and queue.settings.is_fifo:
        raise NOT_FOR_THIS_TYPE.error(value=delay, name="DelaySeconds")
    return None if queue.settings.is_fifo else delay


def _read_trace(message: Message, system: Mapping[str, Any]) -> None:
    for name in system:
        if name != _TRACE:
            raise INVALID_SYSTEM_ATTRIBUTE.error(name=name)
    checked = attributes.check(system, attributes.SYSTEM)
    if "StringValue" not in checked[_TRACE]:
        raise INVALID_ATTRIBUTE_TYPE.error(kind=attributes.SYSTEM, name=_TRACE)
    message.trace, message.trace_md5 = checked[_TRACE]["StringValue"], attributes.digest(checked)


def _read_group(queue: Queue, message: Message, entry: Mapping[str, Any]) -> None:
    group, deduplication = entry.get("MessageGroupId"), entry.get("MessageDeduplicationId")
    if group is None and deduplication is None and not queue.settings.is_fifo:
        return
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", deduplication)):
        if value is not None and not IDENTIFIER.fullmatch(value):
            raise INVALID_GROUP.error(value=value, name=name)
    message.group, message.deduplication = group or "", deduplication or ""
    if queue.settings.is_fifo:
        _complete_group(queue, message)
    elif deduplication is not None:
        raise NOT_FOR_THIS_TYPE.error(value=deduplication, name="MessageDeduplicationId")


def _complete_group(queue: Queue, message: Message) -> None:
    if not message.group:
        raise MISSING_PARAMETER.error(name="MessageGroupId")
    if not message.deduplication:
        if not queue.settings.is_deduplicated_by_content:
            raise DEDUPLICATION_IS_MISSING.error()
        message.deduplication = hashlib.sha256(message.body.encode()).hexdigest()
