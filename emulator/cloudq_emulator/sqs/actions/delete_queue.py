"""DeleteQueue: delete a queue and all it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def delete_queue(call: Call) -> dict[str, Any]:
    """Answer nothing."""
    call.registry.delete(call.queue(), call.now)
    return {}
