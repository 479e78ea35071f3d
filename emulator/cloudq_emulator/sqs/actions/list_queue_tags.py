"""ListQueueTags: a queue's tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def list_queue_tags(call: Call) -> dict[str, Any]:
    """Answer the tags; no key at all where there are none."""
    queue = call.queue()
    return {"Tags": dict(queue.tags)} if queue.tags else {}
