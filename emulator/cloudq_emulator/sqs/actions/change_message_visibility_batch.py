"""ChangeMessageVisibilityBatch: change up to ten leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.actions.batch import each, entries_of
from cloudq_emulator.sqs.actions.change_message_visibility import change_lease

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call


def change_message_visibility_batch(call: Call) -> dict[str, Any]:
    """Answer which were changed and which were not."""
    queue = call.queue()

    def change(entry: Mapping[str, Any]) -> dict[str, Any]:
        change_lease(call, queue, entry)
        return {}

    return each(entries_of(call, "ChangeMessageVisibilityBatchRequestEntry"), change)
