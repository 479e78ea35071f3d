"""ListQueues: one's own queues in a region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.call import page

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def list_queues(call: Call) -> dict[str, Any]:
    """Answer the URLs of those whose names begin with ``QueueNamePrefix``."""
    prefix = call.params.get("QueueNamePrefix") or ""
    queues = [queue for queue in call.registry.of(call.account, call.region) if queue.name.startswith(prefix)]
    urls, token = page(call, queues, limits.LIST)
    answer: dict[str, Any] = {"QueueUrls": urls} if urls else {}
    return {**answer, "NextToken": token} if token else answer
