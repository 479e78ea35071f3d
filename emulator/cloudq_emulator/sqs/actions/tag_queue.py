"""TagQueue: put tags on a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.refusals import TOO_MANY_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call


def tag_queue(call: Call) -> dict[str, Any]:
    """Answer nothing; a tag of the same key is replaced."""
    queue = call.queue()
    tags = {**queue.tags, **call.required("Tags")}
    check_tags(queue.name, tags)
    queue.tags = tags
    return {}


def check_tags(queue: str, tags: Mapping[str, str]) -> None:
    """Check that a queue may have these tags.

    Raises:
        SqsError: They are too many.
    """
    if len(tags) > limits.TAGS:
        raise TOO_MANY_TAGS.error(queue=queue)
