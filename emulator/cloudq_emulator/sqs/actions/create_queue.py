"""CreateQueue: make a queue, or find one that has these very attributes and tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs.actions.tag_queue import check_tags
from cloudq_emulator.sqs.engine.settings import FIFO_ONLY
from cloudq_emulator.sqs.refusals import (
    FIFO_ATTRIBUTE,
    INVALID_FIFO_NAME,
    INVALID_NAME,
    NAME_IS_EMPTY,
    NAME_IS_MISSING,
    QUEUE_HAS_OTHER_TAGS,
    UNKNOWN_ATTRIBUTE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.call import Call

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")
_NAMED: Final = frozenset({"DeduplicationScope", "FifoThroughputLimit"})
"""Attributes of FIFO queues that are refused by name; of the older ones a standard queue knows nothing."""
_FIFO_SUFFIX: Final = ".fifo"


def create_queue(call: Call) -> dict[str, Any]:
    """Answer the queue's URL."""
    name = call.params.get("QueueName")
    if not name:
        raise (NAME_IS_MISSING if name is None else NAME_IS_EMPTY).error()
    attributes = call.params.get("Attributes") or {}
    tags = call.params.get("tags") or call.params.get("Tags") or {}
    _check_name(name, attributes)
    check_tags(name, tags)
    queue, is_new = call.registry.create(call.account, call.region, name, attributes, call.now)
    call.touched = queue
    if is_new:
        queue.tags.update(tags)
    elif not tags.items() <= queue.tags.items():
        raise QUEUE_HAS_OTHER_TAGS.error()
    return {"QueueUrl": call.url(queue)}


def _check_name(name: str, attributes: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(name):
        raise INVALID_NAME.error()
    is_fifo = str(attributes.get("FifoQueue", "false")).lower() == "true"
    if is_fifo and not name.endswith(_FIFO_SUFFIX):
        raise INVALID_FIFO_NAME.error()
    if not is_fifo:
        if name.endswith(_FIFO_SUFFIX):
            raise INVALID_NAME.error()
        refuse_fifo_attributes(attributes)


def refuse_fifo_attributes(attributes: Mapping[str, Any]) -> None:
    """Check that there is nothing that only a FIFO queue has.

    Raises:
        SqsError: There is.
    """
    for attribute in attributes:
        if attribute in FIFO_ONLY:
            refusal = FIFO_ATTRIBUTE if attribute in _NAMED else UNKNOWN_ATTRIBUTE
            raise refusal.error(name=attribute)
