"""SetQueueAttributes: change some of a queue's attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.actions.create_queue import refuse_fifo_attributes
from cloudq_emulator.sqs.refusals import TYPE_IS_FOR_LIFE

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def set_queue_attributes(call: Call) -> dict[str, Any]:
    """Answer nothing; a change holds at once."""
    queue = call.queue()
    attributes = call.required("Attributes")
    if not queue.settings.is_fifo:
        refuse_fifo_attributes(attributes)
    if str(attributes.get("FifoQueue", "")).lower() == "false":
        raise TYPE_IS_FOR_LIFE.error()
    call.registry.change(queue, attributes, call.now)
    return {}
