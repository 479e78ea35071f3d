"""ListDeadLetterSourceQueues: whose dead letters come here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.call import page

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def list_dead_letter_source_queues(call: Call) -> dict[str, Any]:
    """Answer the URLs of the queues that have this one as their dead-letter queue."""
    urls, token = page(call, call.registry.sources_of(call.queue()), limits.LIST)
    return {"queueUrls": urls, "NextToken": token} if token else {"queueUrls": urls}
