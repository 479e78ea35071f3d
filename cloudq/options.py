"""What a task may be told when it is registered, as users write it, and checked."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, Protocol, TypedDict, TypeVar, cast, overload

from cloudq.errors import ConfigurationError
from cloudq.queues import Queue
from cloudq.retry import Backoff, RetryPolicy
from cloudq.tasks import AsyncTask, BoundTask, Task, TaskOptions

__all__ = ["Register", "RegisterBound", "TaskKeywords", "task_options"]

P = ParamSpec("P")
R = TypeVar("R")


class Register(Protocol):
    """Turns a function into a task."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


class RegisterBound(Protocol):
    """Turns a function whose first argument is the task's own run into a task."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[BoundTask, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[BoundTask, P], R], /) -> Task[P, R]: ...


class TaskKeywords(TypedDict, total=False):
    """What `App.task` takes beside the function.

    Keys:
        name: Its name on the wire; by default its module's and its own.
        queue: Where its messages go; by default the app's routes decide.
        priority: Its messages' level in the queue, where the call names none; 0 is the lowest.
        retries: Failures after which it is tried again; 3 makes four attempts in all.
        backoff: How long to wait between attempts: seconds, or `exponential(...)`.
        retry_on: The exceptions that are worth another attempt.
        give_up_on: Those that aren't, though `retry_on` has them.
        time_limit: Seconds after which a run is killed.
        soft_time_limit: Seconds after which `SoftTimeLimitError` is raised in it, for it to clean up.
    """

    name: str
    queue: str
    priority: int
    retries: int
    backoff: Backoff | float | timedelta
    retry_on: type[BaseException] | tuple[type[BaseException], ...]
    give_up_on: type[BaseException] | tuple[type[BaseException], ...]
    time_limit: float | timedelta
    soft_time_limit: float | timedelta


def task_options(keywords: TaskKeywords, *, is_bound: bool) -> TaskOptions:
    """Check what a task was given.

    Raises:
        ConfigurationError: An option is unknown or of the wrong kind; the text says what is accepted.
    """
    if unknown := set(keywords) - set(TaskKeywords.__annotations__):
        accepted = ", ".join(("bind", *TaskKeywords.__annotations__))
        raise ConfigurationError(f"{min(unknown)!r} is no option of a task. There are: {accepted}.")
    standard = RetryPolicy()
    policy = RetryPolicy(
        retries=keywords.get("retries", standard.retries),
        backoff=_backoff(keywords.get("backoff", standard.backoff)),
        retry_on=_errors("retry_on", keywords.get("retry_on", standard.retry_on)),
        give_up_on=_errors("give_up_on", keywords.get("give_up_on", standard.give_up_on)),
    )
    if (queue := keywords.get("queue")) is not None:
        Queue(queue)  # refuses a name that no broker takes, here rather than at the first call
    priority = keywords.get("priority")
    if priority is not None and (type(priority) is not int or priority < 0):
        raise ConfigurationError(f"priority={priority!r}: a whole number from 0 is expected.")
    return TaskOptions(
        queue=queue,
        policy=policy,
        time_limit=_limit("time_limit", keywords.get("time_limit")),
        soft_time_limit=_limit("soft_time_limit", keywords.get("soft_time_limit")),
        is_bound=is_bound,
        priority=priority,
    )


def _backoff(value: Backoff | float | timedelta) -> Backoff:
    if isinstance(value, Backoff):
        return value
    seconds = _seconds("backoff", value)
    return Backoff(seconds, seconds, 1.0, jitter=False)


def _errors(name: str, value: object) -> tuple[type[BaseException], ...]:
    given = cast("tuple[Any, ...]", value if isinstance(value, (tuple, list)) else (value,))
    if all(isinstance(one, type) and issubclass(one, BaseException) for one in given):
        return tuple(given)
    raise ConfigurationError(f"{name}={value!r}: exception classes are expected.")


def _limit(name: str, value: float | timedelta | None) -> float | None:
    return None if value is None else _seconds(name, value, may_be_zero=False)


def _seconds(name: str, value: object, *, may_be_zero: bool = True) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        raise ConfigurationError(f"{name}={value!r}: seconds are expected.")
    if seconds > 0 or (seconds == 0 and may_be_zero):
        return float(seconds)
    raise ConfigurationError(f"{name}={value!r}: seconds {'from' if may_be_zero else 'above'} 0, please.")
