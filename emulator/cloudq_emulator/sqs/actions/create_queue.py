"""CreateQueue: make a queue, or find one that has these very attributes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs.actions.tag_queue import check_tags
from cloudq_emulator.sqs.engine.settings import FIFO_ONLY
from cloudq_emulator.sqs.errors import INVALID_ATTRIBUTE_NAME, INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_FIFO_SUFFIX: Final = ".fifo"


def create_queue(call: Call) -> dict[str, Any]:
    """Answer the queue's URL."""
    name = call.required("QueueName")
    attributes = call.params.get("Attributes") or {}
    tags = call.params.get("tags") or call.params.get("Tags") or {}
    _check_name(name, attributes)
    check_tags(tags)
    queue, is_new = call.registry.create(call.account, call.region, name, attributes, call.now)
    call.touched = queue
    if is_new:
        queue.tags.update(tags)
    return {"QueueUrl": call.url(queue)}


def _check_name(name: str, attributes: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(name):
        raise INVALID_PARAMETER.error(
            text="Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    is_fifo = str(attributes.get("FifoQueue", "false")).lower() == "true"
    if is_fifo and not name.endswith(_FIFO_SUFFIX):
        raise INVALID_PARAMETER.error(
            text="The name of a FIFO queue can only include alphanumeric characters, hyphens, or "
            "underscores, must end with .fifo suffix and be 1 to 80 in length"
        )
    if not is_fifo:
        if name.endswith(_FIFO_SUFFIX):
            raise INVALID_PARAMETER.error(
                text="Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
            )
        _refuse_fifo_attributes(attributes)


def _refuse_fifo_attributes(attributes: Mapping[str, Any]) -> None:
    for attribute in attributes:
        if attribute in FIFO_ONLY and attribute != "FifoQueue":
            raise INVALID_ATTRIBUTE_NAME.error(name=attribute)
