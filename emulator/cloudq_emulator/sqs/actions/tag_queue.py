"""TagQueue: put tags on a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.errors import INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call


def tag_queue(call: Call) -> dict[str, Any]:
    """Answer nothing; a tag of the same key is replaced."""
    queue = call.queue()
    tags = {**queue.tags, **call.required("Tags")}
    check_tags(tags)
    queue.tags = tags
    return {}


def check_tags(tags: Mapping[str, str]) -> None:
    """Check that a queue may have these tags.

    Raises:
        SqsError: They are too many.
    """
    if len(tags) > limits.TAGS:
        raise INVALID_PARAMETER.error(
            text=f"Too many tags added for queue: at most {limits.TAGS} are allowed."
        )
