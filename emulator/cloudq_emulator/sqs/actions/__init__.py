"""SQS's operations, one file each: from a checked request to an answer, over the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs.actions.add_permission import add_permission
from cloudq_emulator.sqs.actions.cancel_message_move_task import cancel_message_move_task
from cloudq_emulator.sqs.actions.change_message_visibility import change_message_visibility
from cloudq_emulator.sqs.actions.change_message_visibility_batch import change_message_visibility_batch
from cloudq_emulator.sqs.actions.create_queue import create_queue
from cloudq_emulator.sqs.actions.delete_message import delete_message
from cloudq_emulator.sqs.actions.delete_message_batch import delete_message_batch
from cloudq_emulator.sqs.actions.delete_queue import delete_queue
from cloudq_emulator.sqs.actions.get_queue_attributes import get_queue_attributes
from cloudq_emulator.sqs.actions.get_queue_url import get_queue_url
from cloudq_emulator.sqs.actions.list_dead_letter_source_queues import list_dead_letter_source_queues
from cloudq_emulator.sqs.actions.list_message_move_tasks import list_message_move_tasks
from cloudq_emulator.sqs.actions.list_queue_tags import list_queue_tags
from cloudq_emulator.sqs.actions.list_queues import list_queues
from cloudq_emulator.sqs.actions.purge_queue import purge_queue
from cloudq_emulator.sqs.actions.receive_message import Reception, receive_message
from cloudq_emulator.sqs.actions.remove_permission import remove_permission
from cloudq_emulator.sqs.actions.send_message import send_message
from cloudq_emulator.sqs.actions.send_message_batch import send_message_batch
from cloudq_emulator.sqs.actions.set_queue_attributes import set_queue_attributes
from cloudq_emulator.sqs.actions.start_message_move_task import start_message_move_task
from cloudq_emulator.sqs.actions.tag_queue import tag_queue
from cloudq_emulator.sqs.actions.untag_queue import untag_queue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloudq_emulator.sqs.call import Call

    Action = Callable[[Call], "dict[str, Any] | Reception"]

ACTIONS: Final[Mapping[str, Action]] = {
    "AddPermission": add_permission,
    "CancelMessageMoveTask": cancel_message_move_task,
    "ChangeMessageVisibility": change_message_visibility,
    "ChangeMessageVisibilityBatch": change_message_visibility_batch,
    "CreateQueue": create_queue,
    "DeleteMessage": delete_message,
    "DeleteMessageBatch": delete_message_batch,
    "DeleteQueue": delete_queue,
    "GetQueueAttributes": get_queue_attributes,
    "GetQueueUrl": get_queue_url,
    "ListDeadLetterSourceQueues": list_dead_letter_source_queues,
    "ListMessageMoveTasks": list_message_move_tasks,
    "ListQueueTags": list_queue_tags,
    "ListQueues": list_queues,
    "PurgeQueue": purge_queue,
    "ReceiveMessage": receive_message,
    "RemovePermission": remove_permission,
    "SendMessage": send_message,
    "SendMessageBatch": send_message_batch,
    "SetQueueAttributes": set_queue_attributes,
    "StartMessageMoveTask": start_message_move_task,
    "TagQueue": tag_queue,
    "UntagQueue": untag_queue,
}
"""Every operation by its name."""

__all__ = ["ACTIONS", "Reception"]
