"""SendMessage: put one message in a queue."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.call import integer
from cloudq_emulator.sqs.engine import attributes
from cloudq_emulator.sqs.engine.message import Message, digest
from cloudq_emulator.sqs.errors import (
    INVALID_MESSAGE_CONTENTS,
    INVALID_PARAMETER,
    MISSING_PARAMETER,
    invalid_value,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.queue import Queue

_UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't carry."""
_ID: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")
"""Group and deduplication ids: alphanumeric characters and ASCII punctuation."""
_TRACE: Final = "AWSTraceHeader"


def send_message(call: Call) -> dict[str, Any]:
    """Answer the message's id and digests."""
    queue = call.queue()
    message = read_message(call, queue, call.params)
    check_size(queue, message_bytes(message))
    return sent(queue.send(message, call.now))


def read_message(call: Call, queue: Queue, entry: Mapping[str, Any]) -> Message:
    """Make a message of a request or of a batch's entry.

    Raises:
        SqsError: SQS wouldn't take it.
    """
    body = entry.get("MessageBody")
    if not body:
        raise MISSING_PARAMETER.error(name="MessageBody")
    # A printable text has none of the characters that SQS refuses, and `isprintable` is far the faster look.
    if not body.isprintable() and _UNWRITABLE.search(body):
        raise INVALID_MESSAGE_CONTENTS.error()
    message = Message(body, digest(body), call.account, call.now)
    message.delay = _delay(queue, entry)
    if entry.get("MessageAttributes"):
        message.attributes = attributes.check(entry["MessageAttributes"])
        message.attributes_md5 = attributes.digest(message.attributes)
    if entry.get("MessageSystemAttributes"):
        _read_trace(message, entry["MessageSystemAttributes"])
    _read_group(queue, message, entry)
    return message


def message_bytes(message: Message) -> int:
    """What a message counts towards the limits."""
    size = len(message.body.encode()) if not message.body.isascii() else len(message.body)
    return size + attributes.size_bytes(message.attributes) if message.attributes else size


def check_size(queue: Queue, size_bytes: int) -> None:
    """Check a message against its queue's limit.

    Raises:
        SqsError: It is too large.
    """
    if size_bytes > queue.settings.size_bytes:
        raise INVALID_PARAMETER.error(
            text="One or more parameters are invalid. Reason: Message must be shorter than "
            f"{queue.settings.size_bytes} bytes."
        )


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
    bounds = (0, limits.DELAY)
    delay = integer(entry, "DelaySeconds", bounds, f"DelaySeconds must be >= 0 and <= {limits.DELAY}.")
    if delay and queue.settings.is_fifo:
        raise invalid_value(
            delay, "DelaySeconds", "The request include parameter that is not valid for this queue type."
        )
    return None if queue.settings.is_fifo else delay


def _read_trace(message: Message, system: Mapping[str, Any]) -> None:
    for name in system:
        if name != _TRACE:
            raise INVALID_PARAMETER.error(
                text=f"Message system attribute name '{name}' is invalid; only {_TRACE} may be set."
            )
    value = system[_TRACE]
    if value.get("DataType") != "String" or not value.get("StringValue"):
        raise INVALID_PARAMETER.error(
            text=f"The message system attribute '{_TRACE}' must be a non-empty String."
        )
    message.trace = value["StringValue"]
    message.trace_md5 = attributes.digest({_TRACE: {"DataType": "String", "StringValue": message.trace}})


def _read_group(queue: Queue, message: Message, entry: Mapping[str, Any]) -> None:
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        value = entry.get(name)
        if value and not _ID.fullmatch(value):
            raise invalid_value(
                value,
                name,
                f"{name} can only include alphanumeric and punctuation characters. "
                f"1 to {limits.GROUP_LENGTH} in length",
            )
    message.group = entry.get("MessageGroupId") or ""
    message.deduplication = entry.get("MessageDeduplicationId") or ""
    if queue.settings.is_fifo:
        _complete_group(queue, message)
    elif message.deduplication:
        raise invalid_value(
            message.deduplication,
            "MessageDeduplicationId",
            "The request include parameter that is not valid for this queue type.",
        )


def _complete_group(queue: Queue, message: Message) -> None:
    if not message.group:
        raise MISSING_PARAMETER.error(name="MessageGroupId")
    if not message.deduplication:
        if not queue.settings.is_deduplicated_by_content:
            raise INVALID_PARAMETER.error(
                text="The queue should either have ContentBasedDeduplication enabled or "
                "MessageDeduplicationId provided explicitly"
            )
        message.deduplication = hashlib.sha256(message.body.encode()).hexdigest()
