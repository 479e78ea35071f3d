"""Which messages an event source mapping's filters let through.

The patterns are EventBridge's, so moto's matcher for those serves.
Source: AWS Lambda Developer Guide, "Using event filtering with an Amazon SQS event source", read 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def passes(record: Mapping[str, Any], patterns: Sequence[str]) -> bool:
    """Whether a record matches one of the patterns; with no pattern every record does.

    A pattern that asks for an object in the body misses a body that isn't JSON, one that asks for plain
    text misses a body that is JSON.

    Args:
        record: A record of the event.
        patterns: Filters as they were given to the mapping, each a JSON object.
    """
    return not patterns or any(_matches(record, orjson.loads(pattern)) for pattern in patterns)


def _matches(record: Mapping[str, Any], pattern: Mapping[str, Any]) -> bool:
    from moto.events.models import EventPattern

    parsed = _json(record["body"])
    asked = pattern.get("body")
    if asked is not None and isinstance(asked, dict) != isinstance(parsed, dict):
        return False
    subject = {**record, "body": parsed if isinstance(asked, dict) else record["body"]}
    return EventPattern(None, dict(pattern)).matches_event(subject)  # pyright: ignore[reportArgumentType]


def _json(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
