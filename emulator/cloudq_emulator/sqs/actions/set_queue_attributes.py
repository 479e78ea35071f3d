"""SetQueueAttributes: change some of a queue's attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.engine.settings import FIFO_ONLY
from cloudq_emulator.sqs.refusals import TYPE_IS_FOR_LIFE, UNKNOWN_ATTRIBUTE

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def set_queue_attributes(call: Call) -> dict[str, Any]:
    """Answer nothing; a change holds at once."""
    queue = call.queue()
    attributes = call.required("Attributes")
    for name in attributes:
        if name in FIFO_ONLY and not queue.settings.is_fifo:
            raise UNKNOWN_ATTRIBUTE.error(name=name)
        if name == "FifoQueue" and str(attributes[name]).lower() == "false":
            raise TYPE_IS_FOR_LIFE.error()
    call.registry.change(queue, attributes, call.now)
    return {}
