"""DeleteMessageBatch: settle up to ten deliveries for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.actions.batch import each, entries_of
from cloudq_emulator.sqs.refusals import MISSING_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call


def delete_message_batch(call: Call) -> dict[str, Any]:
    """Answer which were deleted and which were not."""
    queue = call.queue()

    def delete(entry: Mapping[str, Any]) -> dict[str, Any]:
        handle = entry.get("ReceiptHandle")
        if not handle:
            raise MISSING_PARAMETER.error(name="ReceiptHandle")
        queue.delete(handle, call.now)
        return {}

    return each(entries_of(call, "DeleteMessageBatchRequestEntry"), delete)
