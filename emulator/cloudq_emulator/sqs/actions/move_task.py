"""What the three operations on message move tasks share: handles, and what is shown of a task."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import orjson

from cloudq_emulator.sqs.refusals import INVALID_TASK_HANDLE

if TYPE_CHECKING:
    from cloudq_emulator.sqs.engine.moves import MoveTask


def task_handle(task: MoveTask) -> str:
    """A task's handle: the task's id and its source, in JSON, in base64, as AWS has it."""
    content = json.dumps({"taskId": task.id, "sourceArn": task.source.arn}, separators=(",", ":"))
    return base64.b64encode(content.encode()).decode()


def read_task_handle(handle: str) -> tuple[str, str]:
    """The task's id and its source's ARN.

    Raises:
        SqsError: It is no handle.
    """
    try:
        content = orjson.loads(base64.b64decode(handle, validate=True))
        return str(content["taskId"]), str(content["sourceArn"])
    except (ValueError, KeyError, TypeError):
        raise INVALID_TASK_HANDLE.error() from None


def shown(task: MoveTask) -> dict[str, Any]:
    """A task as ListMessageMoveTasks shows it."""
    answer: dict[str, Any] = {
        "TaskHandle": task_handle(task) if task.status == "RUNNING" else None,
        "Status": task.status,
        "SourceArn": task.source.arn,
        "DestinationArn": task.destination or None,
        "MaxNumberOfMessagesPerSecond": task.rate or None,
        "ApproximateNumberOfMessagesMoved": task.moved,
        "ApproximateNumberOfMessagesToMove": task.to_move,
        "FailureReason": task.failure or None,
        "StartedTimestamp": int(task.started_at * 1000),
    }
    return {name: value for name, value in answer.items() if value is not None}
