"""GetQueueUrl: from a name to a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def get_queue_url(call: Call) -> dict[str, Any]:
    """Answer the URL of the caller's queue, or of one of the account that it names."""
    owner = call.params.get("QueueOwnerAWSAccountId") or call.account
    call.touched = call.registry.get(owner, call.region, call.required("QueueName"))
    return {"QueueUrl": call.url(call.touched)}
