"""What a call is told beside its arguments, checked where it is sent: a worker could only dead-letter it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from cloudq.errors import ArgumentError
from cloudq.queues import check_topic

__all__ = ["checked_args", "checked_headers", "instant_of", "start_of", "text_of", "topic_of"]


def checked_args(task: str, args: object) -> Sequence[Any]:
    """Positional arguments: a tuple or a list, as a text would be taken apart."""
    if not isinstance(args, (tuple, list)):
        raise _wrong(task, "args", "a tuple or a list", args)
    return cast("Sequence[Any]", args)


def checked_headers(task: str, headers: object) -> dict[str, str]:
    """Headers: text by text."""
    if headers is None:
        return {}
    pairs = dict(cast("Mapping[Any, Any]", headers)) if isinstance(headers, Mapping) else {None: None}
    if not all(isinstance(part, str) for pair in pairs.items() for part in pair):
        raise _wrong(task, "headers", "a dict of text by text", cast("object", headers))
    return cast("dict[str, str]", pairs)


def text_of(task: str, option: str, value: object) -> str | None:
    """A text, or nothing."""
    if value is not None and not (isinstance(value, str) and value):
        raise _wrong(task, option, "a text", value)
    return value


def topic_of(task: str, topic: object, queue: object) -> str | None:
    """A topic's name, or nothing."""
    if topic is None:
        return None
    if queue is not None:
        raise ArgumentError(
            f"{task}: a call goes to a queue or to a topic: give one.", task=task, argument="topic"
        )
    check_topic(topic)
    return cast("str", topic)


def start_of(task: str, countdown: object, eta: object, now: float) -> float | None:
    """When a call may run, in seconds since the epoch; None for at once."""
    if countdown is not None and eta is not None:
        raise ArgumentError(
            f"{task}: countdown and eta say the same thing: give one.", task=task, argument="eta"
        )
    if countdown is not None:
        return now + _seconds(task, "countdown", countdown)
    return None if eta is None else instant_of(task, "eta", eta, now)


def instant_of(task: str, option: str, value: object, now: float) -> float:
    """An instant in seconds since the epoch, of a time with a zone, or of seconds from now."""
    if not isinstance(value, datetime):
        return now + _seconds(task, option, value)
    if value.tzinfo is None:
        raise ArgumentError(
            f"{task}: {option}={value!r} names no time zone: say datetime(..., tzinfo=UTC) or countdown=.",
            task=task,
            argument=option,
        )
    return value.timestamp()


def _seconds(task: str, option: str, value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise _wrong(task, option, "a number of seconds or a timedelta", value)
    return float(value)


def _wrong(task: str, option: str, expected: str, value: object) -> ArgumentError:
    return ArgumentError(
        f"{task}: {option} is {value!r}: {expected} is expected.", task=task, argument=option
    )
