"""SetQueueAttributes: change some of a queue's attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.engine.settings import FIFO_ONLY
from cloudq_emulator.sqs.errors import INVALID_ATTRIBUTE_NAME, INVALID_ATTRIBUTE_VALUE

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def set_queue_attributes(call: Call) -> dict[str, Any]:
    """Answer nothing; a change holds at once."""
    queue = call.queue()
    attributes = call.required("Attributes")
    for name in attributes:
        if name == "FifoQueue" and str(attributes[name]).lower() != str(queue.settings.is_fifo).lower():
            raise INVALID_ATTRIBUTE_VALUE.error(name=name)  # a queue's type is for life
        if name in FIFO_ONLY and not queue.settings.is_fifo:
            raise INVALID_ATTRIBUTE_NAME.error(name=name)
    call.registry.change(queue, attributes, call.now)
    return {}
