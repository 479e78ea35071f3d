"""When a batch is full, and what its reply settles. Pure: time is a parameter.

Source: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" and "Handling errors for an SQS event
source", read 2026-11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RECEIVE_LIMIT: Final = 10
"""Messages that one ReceiveMessage returns at most. Source: SQS quotas, read 2026-11."""

LONG_POLL: Final = 20
"""Longest wait of ReceiveMessage in seconds. Source: SQS quotas, read 2026-11."""

PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""Largest event of a synchronous invocation. Source: Lambda quotas, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Receive:
    """Ask the queue for more.

    Args:
        limit: How many messages to take at most.
        wait: How many seconds to wait for the first of them.
    """

    limit: int
    wait: int


@dataclass(frozen=True, slots=True)
class Invoke:
    """Give the function what there is."""


def next_step(held: int, *, size: int, window: float, left: float) -> Receive | Invoke:
    """What to do with a batch that has `held` messages.

    Args:
        held: Messages received so far.
        size: The mapping's batch size.
        window: The mapping's batching window in seconds; 0 invokes with what one receive brought.
        left: Seconds left of that window, which opens with the first message.
    """
    if held == 0:
        return Receive(min(size, RECEIVE_LIMIT), LONG_POLL)
    if held >= size or window <= 0 or left <= 0:
        return Invoke()
    return Receive(min(size - held, RECEIVE_LIMIT), min(math.ceil(left), LONG_POLL))


def split(records: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Cut a batch into events that fit an invocation's payload; a single record always goes."""
    part: list[dict[str, Any]] = []
    part_bytes = 0
    for record in records:
        size_bytes = len(orjson.dumps(record)) + 1
        if part and part_bytes + size_bytes > PAYLOAD_BYTES:
            yield part
            part, part_bytes = [], 0
        part.append(record)
        part_bytes += size_bytes
    if part:
        yield part


def succeeded(
    records: Sequence[Mapping[str, Any]], reply: bytes, *, failed: bool, reports_failures: bool
) -> list[Mapping[str, Any]]:
    """The records to delete; the others stay, invisible until their visibility timeout ends.

    Args:
        records: What the function was given.
        reply: What it returned, or its error, as JSON.
        failed: Whether the invocation failed.
        reports_failures: Whether the mapping has ReportBatchItemFailures.
    """
    if failed:
        return []
    if not reports_failures:
        return list(records)
    failures = _reported(reply)
    ids = {record["messageId"] for record in records}
    if failures is None or not failures <= ids:
        return []
    return [record for record in records if record["messageId"] not in failures]


def _reported(reply: bytes) -> set[str] | None:
    """The ids that a reply reports as failed; None if it is no valid response: the whole batch failed."""
    try:
        response = orjson.loads(reply or b"null")
    except orjson.JSONDecodeError:
        return None
    if response is None:
        return set()
    items = (response.get("batchItemFailures") or []) if isinstance(response, dict) else None
    if not isinstance(items, list):
        return None
    ids = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    if not all(isinstance(id_, str) and id_ for id_ in ids):
        return None
    return {str(id_) for id_ in ids}
