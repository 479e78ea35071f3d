"""StartMessageMoveTask: send dead letters back, or on to another queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.actions.move_task import task_handle
from cloudq_emulator.sqs.call import integer
from cloudq_emulator.sqs.refusals import (
    DESTINATION_IS_SOURCE,
    DESTINATION_OF_OTHER_TYPE,
    MOVES_RANGE,
    SOURCE_IS_NO_DEAD_LETTER_QUEUE,
)

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.queue import Queue


def start_message_move_task(call: Call) -> dict[str, Any]:
    """Answer the task's handle."""
    source = call.queue_of_arn("SourceArn")
    if not call.registry.sources_of(source):
        raise SOURCE_IS_NO_DEAD_LETTER_QUEUE.error()
    rate = integer(call.params, "MaxNumberOfMessagesPerSecond", (1, limits.MOVES), MOVES_RANGE)
    task = call.registry.moves.start(source, _destination(call, source), rate or 0, call.now)
    return {"TaskHandle": task_handle(task)}


def _destination(call: Call, source: Queue) -> str:
    if call.params.get("DestinationArn") is None:
        return ""
    target = call.find_by_arn("DestinationArn")
    if target is source:
        raise DESTINATION_IS_SOURCE.error()
    if target.settings.is_fifo != source.settings.is_fifo:
        raise DESTINATION_OF_OTHER_TYPE.error()
    return target.arn
