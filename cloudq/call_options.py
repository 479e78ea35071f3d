"""What a call is told beside its arguments, checked where it is sent: a worker could only dead-letter it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict, cast

from cloudq.errors import ArgumentError
from cloudq.queues import check_topic

__all__ = [
    "CallOptions",
    "checked_args",
    "checked_headers",
    "checked_priority",
    "instant_of",
    "refuse_unknown",
    "start_of",
    "text_of",
    "topic_of",
]


class CallOptions(TypedDict, total=False):
    """What `Task.apply_async` takes beside the arguments.

    Keys:
        countdown: Seconds before it may run.
        eta: The instant before which it may not run; give the offset from UTC with it.
        expires: Seconds, or the instant, after which it is not run any more.
        queue: Another queue than the task's.
        topic: A topic to publish to, in place of a queue: it is run once for each queue that subscribes.
            Each copy has a result of its own: `task.result(id, queue=...)`.
        priority: One of its queue's levels: 0 is the lowest, and the usual one.
        group_id: FIFO and fairness key.
        dedup_id: FIFO key under which a repeat is dropped.
        task_id: The message's id, in place of a new one.
        headers: Text that travels beside the arguments.
        retries: Another number of retries than the task's.
    """

    countdown: float | timedelta | None
    eta: datetime | None
    expires: float | timedelta | datetime | None
    queue: str | None
    topic: str | None
    priority: int | None
    group_id: str | None
    dedup_id: str | None
    task_id: str | None
    headers: Mapping[str, str] | None
    retries: int | None


def refuse_unknown(task: str, options: Mapping[str, Any]) -> None:
    """Refuse what is no option of a call.

    Raises:
        TypeError: The text names the options.
    """
    if unknown := options.keys() - CallOptions.__annotations__.keys():
        accepted = ", ".join(CallOptions.__annotations__)
        raise TypeError(f"{task}: {min(unknown)!r} is no option of a call. There are: {accepted}.")


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


def checked_priority(task: str, priority: object, topic: object) -> int | None:
    """A level of priority, or nothing; whether the queue has it is the app's to say."""
    if priority is None:
        return None
    if topic is not None:
        raise ArgumentError(
            f"{task}: what is published to a topic has no priority: leave one of the two out.",
            task=task,
            argument="priority",
        )
    if not isinstance(priority, int) or isinstance(priority, bool) or priority < 0:
        raise _wrong(task, "priority", "a whole number from 0", priority)
    return priority


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
