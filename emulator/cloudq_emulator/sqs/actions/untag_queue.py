"""UntagQueue: take tags off a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.refusals import TAG_KEY_LENGTH

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def untag_queue(call: Call) -> dict[str, Any]:
    """Answer nothing; a tag that isn't there is no error."""
    queue = call.queue()
    keys = call.params.get("TagKeys")
    if not keys:
        raise TAG_KEY_LENGTH.error()
    for key in keys:
        queue.tags.pop(key, None)
    return {}
