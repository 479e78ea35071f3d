"""One call of a user's function, and what it comes to.

| piece | what it is |
|---|---|
| `Context` | where and how its message arrived |
| `Attempt` | the call: arguments read, function run, what it raises judged |
"""

from __future__ import annotations

import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Any, NamedTuple

from cloudq.app import App
from cloudq.codec import encode
from cloudq.delivery import Dead, Done, Ignored, Outcome, Reason, Requeue, RetryLater
from cloudq.errors import (
    ArgumentError,
    BackendError,
    ConfigurationError,
    EncodeError,
    Ignore,
    Reject,
    Retry,
)
from cloudq.message import Message
from cloudq.request import Request, running
from cloudq.results import Record, ResultStore
from cloudq.retry import GiveUp, RetryPolicy
from cloudq.tasks import BoundTask, Task

__all__ = ["Attempt", "Context", "counted", "described", "growing", "wait_for_deploy"]

logger = logging.getLogger(__name__)

UNKNOWN_RECEIVES = 10
"""Receives for which an unknown task or version is waited for: with doubling delays a little over a quarter
of an hour, longer than a rolling deploy takes."""

LONGEST_DEFERRAL = 900.0
"""Seconds; what SQS can delay a message by itself. Source: SQS SendMessage, DelaySeconds, read 2026-11."""


def _never() -> bool:
    return False


def _nobody(seconds: float) -> None:
    """Whom a run's time limit concerns where nobody can end it."""


class Context(NamedTuple):
    """Where and how a message arrived. A tuple, for speed.

    Args:
        queue: Where it was received.
        receive_count: Deliveries so far, this one included.
        max_receives: The queue's bound on receives that no failure explains.
        has_count: Whether the body's `retries` is exact (`Limits.rewrites_on_release`).
        deadline: When the consumer itself ends (Lambda), on the app's monotonic clock.
        is_lease_lost: Says whether somebody else may have the message by now.
        on_limit: Called as a run that has a time limit begins, with its seconds.
    """

    queue: str
    receive_count: int = 1
    max_receives: int = 10
    has_count: bool = True
    deadline: float | None = None
    is_lease_lost: Callable[[], bool] = _never
    on_limit: Callable[[float], object] = _nobody


class Attempt(NamedTuple):
    """One call of the user's function, and what it comes to.

    Args:
        app: The app.
        results: Where records are; None where no backend is configured.
        task: The task.
        message: The message.
        context: How it arrived.
        failures: Attempts that have failed before.
        policy: The task's, with what the message says of its own.
    """

    app: App
    results: ResultStore | None
    task: Task[..., Any]
    message: Message
    context: Context
    failures: int
    policy: RetryPolicy

    def run(self) -> Outcome:
        """Call the function here and now; a coroutine that it gives is run to its end."""
        call = self._call()
        if not isinstance(call, _Call):
            return call
        token = running.set(call.request)
        try:
            if call.soft_limit is None:
                value = self.task.function(*call.args, **call.kwargs)
            else:
                value = _limited_call(self.task.function, call)
            return self._done(call, _awaited(value, call.soft_limit) if inspect.iscoroutine(value) else value)
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, SystemExit too
            return self._judged(error)
        finally:
            running.reset(token)

    async def run_async(self) -> Outcome:
        """Call the coroutine function of the task in the running event loop."""
        from cloudq.soft_limit import limited

        call = self._call()
        if not isinstance(call, _Call):
            return call
        token = running.set(call.request)
        try:
            awaited = limited(self.task.function(*call.args, **call.kwargs), call.soft_limit)
            return self._done(call, await awaited)
        except BaseException as error:  # noqa: BLE001 - as above
            return self._judged(error)
        finally:
            running.reset(token)

    def _call(self) -> _Call | Outcome:
        """What the function is called with, or why it can't be."""
        try:
            args, kwargs = self.task.parameters.read(self.message.args, self.message.kwargs)
        except ArgumentError as error:
            return Dead(Reason("bad_arguments", str(error), error=described(error), failures=self.failures))
        except ConfigurationError as error:  # the function's hints: a deploy mends it, or nothing does
            return wait_for_deploy(self.context, Reason("bad_arguments", str(error)))
        settings, options = self.app.conf.settings, self.task.options
        hard = options.time_limit or settings.task_time_limit
        soft = options.soft_time_limit or settings.task_soft_time_limit
        if hard:
            self.context.on_limit(hard)
        request = self._request(hard, soft)
        if not options.is_bound:
            return _Call(request, args, kwargs, soft)
        bound = BoundTask(self.task.name, request, self._progress)
        return _Call(request, [bound, *args], kwargs, soft, bound)

    def _done(self, call: _Call, value: Any) -> Outcome:
        if call.bound is not None and call.bound.asked_retry is not None:
            logger.warning(
                "self.retry() was called but not raised: write `raise self.retry(...)`",
                extra={"action": "retry_not_raised", "task": self.task.name, "message_id": self.message.id},
            )
            raise call.bound.asked_retry
        return Done(self.task.returned.write(value)) if self.results is not None else _DONE

    def _judged(self, error: BaseException) -> Outcome:
        match error:
            case EncodeError():
                return Dead(Reason("bad_result", str(error), error=described(error), failures=self.failures))
            case Ignore():
                return Ignored("the task said so")
            case Reject():
                return self._rejected(error)
            case Retry():
                return self._retried(error)
            case KeyboardInterrupt():
                raise error
            case _:
                return self._failed(error)

    def _request(self, *limits: float | None) -> Request:
        monotonic, context = self.app.clock.monotonic, self.context
        ends = [monotonic() + limit for limit in limits if limit] if any(limits) else []
        if context.deadline is not None:
            ends.append(context.deadline)
        return Request(
            self.message,
            context.queue,
            self.failures,
            context.receive_count,
            monotonic,
            min(ends) if ends else None,
            context.is_lease_lost,
        )

    def _rejected(self, signal: Reject) -> Outcome:
        if signal.requeue:
            return Requeue(1.0, why=signal.reason or "the task gave it back")
        text = signal.reason or "The task rejected it."
        return Dead(Reason("rejected", text, error=described(signal), failures=self.failures))

    def _retried(self, signal: Retry) -> Outcome:
        cause = signal.__cause__ or signal.__context__
        return self._again(self.policy.after(self.failures + 1, signal.countdown), cause or signal)

    def _failed(self, error: BaseException) -> Outcome:
        return self._again(self.policy.decide(self.failures + 1, error), error)

    def _again(self, decision: Any, error: BaseException) -> Outcome:
        failures, text, trace = self.failures + 1, described(error), _traceback(error)
        if isinstance(decision, GiveUp):
            return Dead(Reason("failed", f"{text} ({decision.why}).", text, trace, failures=failures))
        return RetryLater(decision.delay, failures, text, trace, counted(self.message, failures))

    def _progress(self, progress: Any) -> None:
        try:
            self._save_progress(progress)
        except BackendError as error:  # nobody sees it, but the work goes on
            extra = {"action": "progress_lost", "task": self.task.name, "message_id": self.message.id}
            logger.warning("progress is lost: %s", error, extra=extra)

    def _save_progress(self, progress: Any) -> None:
        if self.results is not None:
            record = Record(
                state="PROGRESS",
                task=self.message.task,
                generation=self.message.generation,
                attempt=self.failures + 1,
                failures=self.failures,
                progress=progress,
            )
            self.results.save({self.message.id: record})


class _Call(NamedTuple):
    request: Request
    args: list[Any]
    kwargs: dict[str, Any]
    soft_limit: float | None
    bound: BoundTask | None = None


_DONE = Done()
_ONE_LOOP = threading.Lock()
_OURS = {__name__, "cloudq.soft_limit", "asyncio.runners", "asyncio.base_events", "contextlib"}


def _limited_call(function: Callable[..., Any], call: _Call) -> Any:
    from cloudq.soft_limit import limiting

    with limiting(call.soft_limit):
        return function(*call.args, **call.kwargs)


def _awaited(coroutine: Coroutine[Any, Any, Any], soft_limit: float | None) -> Any:
    import asyncio

    from cloudq.soft_limit import in_greenlet, limited

    # A thread has one event loop at a time, and greenlets share theirs.
    with _ONE_LOOP if in_greenlet() else nullcontext():
        return asyncio.run(limited(coroutine, soft_limit))


def described(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - its __str__ is the user's code, too
        text = "(its text can't be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _traceback(error: BaseException) -> str:
    """The traceback from the user's function on: the frames above are ours."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") in _OURS:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def growing(context: Context) -> float:
    return min(LONGEST_DEFERRAL, 2.0 ** min(context.receive_count, 16))


def wait_for_deploy(context: Context, reason: Reason) -> Outcome:
    if context.receive_count >= UNKNOWN_RECEIVES:
        return Dead(reason)
    return Requeue(growing(context), why=reason.text, is_counted=True)


def counted(message: Message, failures: int) -> bytes | None:
    """The message with its count of failures; None, to leave it as it is, where it can't be written."""
    try:
        return encode(message._replace(retries=failures))
    except EncodeError as error:
        logger.warning(
            "not rewritten: %s", error, extra={"action": "not_rewritten", "message_id": message.id}
        )
        return None
