"""ChangeMessageVisibility: let a lease last longer, or give the message back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.call import integer
from cloudq_emulator.sqs.refusals import CHANGE_RANGE, MISSING_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.queue import Queue


def change_message_visibility(call: Call) -> dict[str, Any]:
    """Answer nothing."""
    change_lease(call, call.queue(), call.params)
    return {}


def change_lease(call: Call, queue: Queue, entry: Mapping[str, Any]) -> None:
    """Change the lease that a request or a batch's entry names.

    Raises:
        SqsError: It can't be changed so.
    """
    handle = entry.get("ReceiptHandle")
    if not handle:
        raise MISSING_PARAMETER.error(name="ReceiptHandle")
    seconds = integer(entry, "VisibilityTimeout", (0, limits.LEASE), CHANGE_RANGE)
    if seconds is None:
        raise MISSING_PARAMETER.error(name="VisibilityTimeout")
    queue.change_lease(handle, seconds, call.now)
