"""An SQS event's records as deliveries. Pure.

Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", example event, read 2026-11.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from cloudq.delivery import Delivery
from cloudq.errors import ConfigurationError

__all__ = ["Reader", "queue_prefix"]

_SOURCE = "aws:sqs"
_TRACE = "AWSTraceHeader"


def queue_prefix(broker_url: str) -> str:
    """What the names of the app's queues begin with on AWS; nothing, for a broker that isn't SQS."""
    if not broker_url.startswith("sqs:"):
        return ""
    from cloudq.brokers.sqs.urls import parse

    return parse(broker_url).prefix


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads events.

    Args:
        prefix: What the queues' names begin with on AWS.
    """

    prefix: str = ""

    def deliveries(self, event: Mapping[str, Any]) -> list[Delivery]:
        """The event's records, in their order.

        Raises:
            ConfigurationError: It isn't an SQS event: somebody else invoked the function.
        """
        records = event.get("Records")
        if not isinstance(records, list):
            raise _no_sqs_event(f"it has {', '.join(map(repr, event)) or 'nothing'} and no 'Records'")
        return [self.delivery(record) for record in cast("list[dict[str, Any]]", records)]

    def delivery(self, record: Mapping[str, Any]) -> Delivery:
        """One record.

        Raises:
            ConfigurationError: It isn't from SQS.
        """
        if (source := record.get("eventSource")) != _SOURCE:
            raise _no_sqs_event(f"a record comes from {source!r}")
        attributes: Mapping[str, str] = record["attributes"]
        return Delivery(
            queue=record["eventSourceARN"].rpartition(":")[2].removeprefix(self.prefix),
            id=record["messageId"],
            body=record["body"].encode(),
            receipt=record["receiptHandle"],
            receive_count=int(attributes["ApproximateReceiveCount"]),
            group=attributes.get("MessageGroupId"),
            sent_at=int(attributes["SentTimestamp"]) / 1000,
            attributes=_strings(record.get("messageAttributes") or {}, attributes.get(_TRACE)),
        )


def _strings(attributes: Mapping[str, Mapping[str, Any]], trace: str | None) -> dict[str, str]:
    strings = {
        name: value["stringValue"]
        for name, value in attributes.items()
        if value.get("stringValue") is not None
    }
    return strings | {_TRACE: trace} if trace else strings


def _no_sqs_event(why: str) -> ConfigurationError:
    return ConfigurationError(
        f"This is no event of an SQS queue: {why}. Invoke the function through an event source mapping "
        "of one of the app's queues."
    )
