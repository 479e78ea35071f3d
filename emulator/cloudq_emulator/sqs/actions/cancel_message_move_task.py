"""CancelMessageMoveTask: leave the rest where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.actions.move_task import read_task_handle
from cloudq_emulator.sqs.refusals import RESOURCE_DOES_NOT_EXIST

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def cancel_message_move_task(call: Call) -> dict[str, Any]:
    """Answer how many messages had been moved."""
    id_, arn = read_task_handle(call.required("TaskHandle"))
    source = call.registry.by_arn(arn)
    if source is None:
        raise RESOURCE_DOES_NOT_EXIST.error(name="SourceArn")
    call.touched = source
    return {"ApproximateNumberOfMessagesMoved": call.registry.moves.cancel(source, id_).moved}
