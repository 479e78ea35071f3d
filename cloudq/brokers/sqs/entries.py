"""Messages as SQS's requests have them, and their size as SQS counts it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudq.brokers.sqs.delays import delay_seconds
from cloudq.brokers.sqs.text import fault
from cloudq.delivery import Outgoing
from cloudq.queues import FIFO_SUFFIX

__all__ = [
    "MAX_ATTRIBUTES",
    "MAX_BYTES",
    "TRACE",
    "Entry",
    "attribute_bytes",
    "entry_of",
    "refusal",
    "size_bytes",
]

MAX_BYTES = 1_048_576
"""Of one message and of a whole batch, attributes included. Source: SQS quotas, messages, read 2026-11."""
MAX_ATTRIBUTES = 10
"""Of one message. Source: SQS quotas, messages, read 2026-11."""
TRACE = "AWSTraceHeader"
"""X-Ray's header travels as a system attribute, which counts neither as one of the ten nor for the size.
Source: SQS API Reference, SendMessage, MessageSystemAttribute, read 2026-11."""

_TYPE = "String"
_KEY = re.compile(r"[!-~]{1,128}")
"""Group and deduplication ids. Source: SQS API Reference, SendMessage, MessageGroupId, read 2026-11."""
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)")
"""Source: SQS Developer Guide, message attribute components, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a batch.

    Args:
        fields: What the request says of it, but for its id in the batch.
        size_bytes: What it takes up of the batch.
        lane: Entries of one lane go one after the other; None goes with any.
    """

    fields: Mapping[str, Any]
    size_bytes: int
    lane: str | None = None


def entry_of(queue: str, message: Outgoing) -> Entry:
    """A message that `refusal` has nothing against, for a queue."""
    fields: dict[str, Any] = {"MessageBody": message.body.decode()}
    if attributes := _attributes(message):
        fields["MessageAttributes"] = {name: _string(value) for name, value in attributes.items()}
    if trace := message.attributes.get(TRACE):
        fields["MessageSystemAttributes"] = {TRACE: _string(trace)}
    if message.delay > 0:
        fields["DelaySeconds"] = delay_seconds(message.delay)
    group = message.group
    if queue.endswith(FIFO_SUFFIX):
        group = message.group or message.id
        fields["MessageDeduplicationId"] = message.deduplication_id or message.id
    if group is not None:
        fields["MessageGroupId"] = group
    lane = group if queue.endswith(FIFO_SUFFIX) else None
    return Entry(fields, size_bytes(message), lane)


def refusal(queue: str, message: Outgoing) -> str | None:
    """Why SQS would never take a message; None where it would."""
    if message.delay > 0 and queue.endswith(FIFO_SUFFIX):
        return "a FIFO queue on SQS holds no single message back; use a standard queue for delays"
    return fault(message.body) or _wrong_key(message) or _wrong_attribute(message)


def size_bytes(message: Outgoing) -> int:
    """What SQS counts: the body, and each attribute's name, type and value."""
    attributes = _attributes(message).items()
    return len(message.body) + sum(attribute_bytes(name, value) for name, value in attributes)


def attribute_bytes(name: str, value: str) -> int:
    """What one attribute takes up."""
    return len(name.encode()) + len(_TYPE) + len(value.encode(errors="replace"))


def _wrong_key(message: Outgoing) -> str | None:
    for key in (message.group, message.deduplication_id):
        if key is not None and not _KEY.fullmatch(key):
            return f"{key!r} can't be a group or deduplication id on SQS: 1 to 128 printable ASCII characters"
    return None


def _wrong_attribute(message: Outgoing) -> str | None:
    attributes = _attributes(message)
    if len(attributes) > MAX_ATTRIBUTES:
        return f"SQS takes {MAX_ATTRIBUTES} attributes a message, not {len(attributes)}"
    for name, value in attributes.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            return f"{name!r} can't be an attribute's name on SQS"
        if why := fault(value.encode(errors="surrogatepass")):
            return f"attribute {name!r}: {why}"
    return None


def _attributes(message: Outgoing) -> dict[str, str]:
    return {name: value for name, value in message.attributes.items() if name != TRACE}


def _string(value: str) -> dict[str, str]:
    return {"DataType": _TYPE, "StringValue": value}
