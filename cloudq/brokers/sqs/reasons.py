"""A dead letter's reason as the text of one message attribute, `cloudq.dead`, and back. Pure."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast

from cloudq.brokers.sqs.text import clean
from cloudq.delivery import Reason

__all__ = ["ATTRIBUTE", "MAX_BYTES", "read", "write"]

ATTRIBUTE = "cloudq.dead"
MAX_BYTES = 8192
"""Ours: what a person reads in a console, and a small part of what SQS bills as one request (64 KB)."""

_CUT = " […] "
_FIELDS = {field.name: field.type for field in dataclasses.fields(Reason)}
_LONG = ("traceback", "error", "text")
"""What is cut where it must be, in this order."""
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write(reason: Reason, limit_bytes: int = MAX_BYTES) -> str | None:
    """A reason as JSON, cut in the middle of its traceback, then of its other texts, until it fits.

    Args:
        reason: Why the message is dead-lettered.
        limit_bytes: What the text may take up.

    Returns:
        The text; None where not even the bare reason fits.
    """
    fields = {name: value for name, value in dataclasses.asdict(reason).items() if value not in ("", 0, None)}
    fields = {name: clean(value) if isinstance(value, str) else value for name, value in fields.items()}
    for name in _LONG:
        excess = _size(fields) - limit_bytes
        if excess <= 0:
            break
        if name in fields:
            fields[name] = _shortened(fields, name, limit_bytes)
    text = _to_json(fields)
    return text if len(text.encode()) <= limit_bytes else None


def read(text: str) -> Reason | None:
    """The reason that an attribute tells of; None where it isn't one."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    told = cast("dict[str, Any]", found)
    fields: dict[str, Any] = {"code": "", "text": ""}
    fields |= {name: value for name, value in told.items() if _fits(name, value)}
    return Reason(**fields)


def _shortened(fields: dict[str, Any], name: str, limit_bytes: int) -> str:
    text = cast("str", fields[name])
    low, high = 0, len(text)  # the longest that fits, by bisection: a character's size in JSON varies
    while low < high:
        kept = (low + high + 1) // 2
        if _size({**fields, name: _cut(text, kept)}) <= limit_bytes:
            low = kept
        else:
            high = kept - 1
    return _cut(text, low)


def _cut(text: str, kept: int) -> str:
    if kept >= len(text):
        return text
    head = kept // 3
    tail = kept - head  # more of the end: there stands what was raised
    return text[:head] + _CUT + text[len(text) - tail :]


def _size(fields: dict[str, Any]) -> int:
    return len(_to_json(fields).encode())


def _fits(name: str, value: object) -> bool:
    if name not in _FIELDS or isinstance(value, bool):
        return False
    if "str" in str(_FIELDS[name]):
        return isinstance(value, str)
    if "float" in str(_FIELDS[name]):
        return isinstance(value, (int, float))
    return isinstance(value, int)
