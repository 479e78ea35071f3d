"""DeleteMessage: settle a delivery for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def delete_message(call: Call) -> dict[str, Any]:
    """Answer nothing; a message already gone is no error."""
    queue = call.queue()
    queue.delete(call.required("ReceiptHandle"), call.now)
    return {}
