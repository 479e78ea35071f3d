"""The event that a function gets for SQS messages. Pure.

Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS", read 2026-11.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def record(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    """One received message as a record of the event.

    Args:
        message: As ReceiveMessage answers it in the JSON protocol.
        queue_arn: The queue's ARN.
    """
    attributes = message.get("MessageAttributes", {})
    digest = {"md5OfMessageAttributes": message["MD5OfMessageAttributes"]} if attributes else {}
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": {name: _attribute(value) for name, value in attributes.items()},
        **digest,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }


def payload(records: Sequence[Mapping[str, Any]]) -> bytes:
    """The event of these records, as JSON."""
    return orjson.dumps({"Records": records})


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    shaped: dict[str, Any] = {}
    if "StringValue" in value:
        shaped["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        shaped["binaryValue"] = _base64(value["BinaryValue"])
    # The two lists are never filled: SQS reserves them.
    return {**shaped, "stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}


def _base64(value: str | bytes) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
