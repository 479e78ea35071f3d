"""ListMessageMoveTasks: a dead-letter queue's latest tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.actions.move_task import shown
from cloudq_emulator.sqs.call import integer
from cloudq_emulator.sqs.refusals import TASKS_RANGE

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def list_message_move_tasks(call: Call) -> dict[str, Any]:
    """Answer them, the newest first; only the newest unless more are asked for."""
    source = call.queue_of_arn("SourceArn")
    limit = integer(call.params, "MaxResults", (1, limits.TASKS), TASKS_RANGE)
    tasks = call.registry.moves.of(source)[: limit or 1]
    return {"Results": [shown(task) for task in tasks]}
