"""GetQueueAttributes: what was set, what is known, and how many messages there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs.engine.settings import SETTABLE
from cloudq_emulator.sqs.refusals import UNKNOWN_ATTRIBUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.queue import Queue

_KNOWN: Final[dict[str, Callable[[Queue], object]]] = {
    "QueueArn": lambda queue: queue.arn,
    "ApproximateNumberOfMessages": lambda queue: queue.ready_count,
    "ApproximateNumberOfMessagesNotVisible": lambda queue: queue.leased_count,
    "ApproximateNumberOfMessagesDelayed": lambda queue: queue.delayed_count,
    "CreatedTimestamp": lambda queue: int(queue.created_at),
    "LastModifiedTimestamp": lambda queue: int(queue.modified_at),
}
_ALL: Final = (*_KNOWN, *SETTABLE)
_UNLESS_SET: Final = frozenset({"KmsDataKeyReusePeriodSeconds"})
"""Shown only with a key of one's own."""


def get_queue_attributes(call: Call) -> dict[str, Any]:
    """Answer the attributes asked for; none asked for, none answered."""
    queue = call.queue()
    wanted: list[str] = call.params.get("AttributeNames") or []
    for name in wanted:
        if name != "All" and name not in _ALL:
            raise UNKNOWN_ATTRIBUTE.error(name=name)
    names = _ALL if "All" in wanted else wanted
    shown = {name: value for name in names if (value := _attribute(queue, name)) is not None}
    return {"Attributes": shown} if shown else {}


def _attribute(queue: Queue, name: str) -> str | None:
    if name in _KNOWN:
        return str(_KNOWN[name](queue))
    if name in _UNLESS_SET and not queue.settings.kms_key:
        return None
    return queue.settings.written(name)
