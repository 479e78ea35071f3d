"""SQS events as Lambda hands them over, and contexts, for tests of the handler."""

from __future__ import annotations

import itertools
import json
from typing import Any

from cloudq.clock import FakeClock

_numbers = itertools.count(1)

DOCUMENTED: dict[str, Any] = {
    "Records": [
        {
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
            "body": "Test message.",
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1545082649183",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1545082649185",
            },
            "messageAttributes": {
                "myAttribute": {
                    "stringValue": "myValue",
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String",
                }
            },
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
            "awsRegion": "us-east-2",
        },
        {
            "messageId": "11d6ee51-4cc7-4302-9e22-7cd8afdaadf5",
            "receiptHandle": "AQEBBX8nesZEXmkhsmZeyIE8iQAMig7qw...",
            "body": "Test message.",
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1573251510774",
                "SequenceNumber": "18849496460467696128",
                "MessageGroupId": "1",
                "SenderId": "AIDAIO23YVJENQZJOL4VO",
                "MessageDeduplicationId": "1",
                "ApproximateFirstReceiveTimestamp": "1573251510774",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:fifo.fifo",
            "awsRegion": "us-east-2",
        },
    ]
}
"""The examples of AWS's documentation. Source: Lambda Developer Guide, "Using Lambda with Amazon SQS",
standard and FIFO queue message events, read 2026-11."""


def record(
    task: str = "", *args: Any, queue: str = "shop-orders", body: str | None = None, **fields: Any
) -> Any:
    """A record with a call of a task.

    Args:
        task: Its name.
        args: Its arguments.
        queue: The queue's name on AWS.
        body: Another body than the call's.
        fields: `count` (of receives), `group`, `id`; anything else belongs to the message.
    """
    name = fields.pop("id", f"id-{next(_numbers)}")
    attributes = {"ApproximateReceiveCount": str(fields.pop("count", 1)), "SentTimestamp": "1800000000000"}
    if group := fields.pop("group", None):
        attributes["MessageGroupId"] = group
    call = {"v": 1, "id": name, "task": task, "args": args, "kwargs": {}, **fields}
    return {
        "messageId": name,
        "receiptHandle": f"handle-{name}",
        "body": json.dumps(call) if body is None else body,
        "attributes": attributes,
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
        "awsRegion": "eu-west-1",
    }


def event(*records: Any) -> dict[str, Any]:
    """An event of records."""
    return {"Records": list(records)}


def failed(answer: Any) -> list[str]:
    """The ids that an answer reports."""
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


class Context:
    """Lambda's context, on a fake clock.

    Args:
        clock: The clock.
        seconds: How long the invocation may take from now on.
    """

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self._clock = clock
        self._ends_at = clock.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - self._clock.monotonic()) * 1000)
