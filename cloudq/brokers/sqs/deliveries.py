"""What SQS hands out, as deliveries. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudq.brokers.sqs import reasons
from cloudq.brokers.sqs.entries import TRACE
from cloudq.brokers.sqs.receipts import receipt
from cloudq.delivery import Delivery, Reason
from cloudq.queues import is_dead_letter

__all__ = ["SYSTEM_ATTRIBUTES", "delivery_of"]

COUNT, SENT_AT, GROUP = "ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"
SOURCE = "DeadLetterQueueSourceArn"
SYSTEM_ATTRIBUTES = [COUNT, SENT_AT, GROUP, TRACE, SOURCE]
"""What a receive asks for beside the message's own attributes."""


def delivery_of(queue: str, message: Mapping[str, Any], received_at: float) -> Delivery:
    """One received message.

    Args:
        queue: Where it was received.
        message: As ReceiveMessage answers it.
        received_at: When the receive was sent (seconds since the epoch).
    """
    system: Mapping[str, str] = message.get("Attributes", {})
    attributes = _own_attributes(message)
    reason = attributes.pop(reasons.ATTRIBUTE, None)
    if trace := system.get(TRACE):
        attributes[TRACE] = trace
    return Delivery(
        queue=queue,
        id=message["MessageId"],
        body=message["Body"].encode(),
        receipt=receipt(message["ReceiptHandle"], received_at),
        receive_count=int(system.get(COUNT, 1)),
        group=system.get(GROUP),
        sent_at=int(system[SENT_AT]) / 1000 if SENT_AT in system else None,
        attributes=attributes,
        reason=_reason(reason, system) if is_dead_letter(queue) else None,
    )


def _own_attributes(message: Mapping[str, Any]) -> dict[str, str]:
    attributes: Mapping[str, Mapping[str, Any]] = message.get("MessageAttributes", {})
    return {name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value}


def _reason(text: str | None, system: Mapping[str, str]) -> Reason | None:
    if text is not None:
        return reasons.read(text)
    if SOURCE in system:
        source = system[SOURCE].rpartition(":")[2]
        return Reason(
            code="poison",
            text="SQS itself moved it here: it was received as often as the queue's redrive policy allows.",
            queue=source,
        )
    return None
