"""UntagQueue: take tags off a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def untag_queue(call: Call) -> dict[str, Any]:
    """Answer nothing; a tag that isn't there is no error."""
    queue = call.queue()
    for key in call.required("TagKeys"):
        queue.tags.pop(key, None)
    return {}
