"""TagQueue: put tags on a queue."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.refusals import (
    INVALID_TAG_KEY,
    INVALID_TAG_VALUE,
    MISSING_PARAMETER,
    TAG_KEY_LENGTH,
    TAG_VALUE_LENGTH,
    TOO_MANY_TAGS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call

_TAG: Final = re.compile(r"[\w\s.:/=+@-]*")


def tag_queue(call: Call) -> dict[str, Any]:
    """Answer nothing; a tag of the same key is replaced."""
    queue = call.queue()
    added = call.params.get("Tags")
    if not added:
        raise MISSING_PARAMETER.error(name="Tags")
    tags = {**queue.tags, **added}
    check_tags(queue.name, tags)
    queue.tags = tags
    return {}


def check_tags(queue: str, tags: Mapping[str, str]) -> None:
    """Check that a queue may have these tags.

    Raises:
        SqsError: They are too many, or one is too long.
    """
    for key, value in tags.items():
        if not 1 <= len(key) <= limits.TAG_KEY_LENGTH:
            raise TAG_KEY_LENGTH.error()
        if len(value) > limits.TAG_VALUE_LENGTH:
            raise TAG_VALUE_LENGTH.error()
        if not _TAG.fullmatch(key):
            raise INVALID_TAG_KEY.error()
        if not _TAG.fullmatch(value):
            raise INVALID_TAG_VALUE.error()
    if len(tags) > limits.TAGS:
        raise TOO_MANY_TAGS.error(queue=queue)
