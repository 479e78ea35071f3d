"""Running a message: the only executor, the same in a worker, in Lambda and in a test.

It takes a body as it came and returns an `Execution` with one outcome, whatever happens. It asks the backend,
but never the broker: settling the delivery is `cloudq.settling`'s.

    read the body → find the task → admit the message → read the arguments → run → judge
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cloudq.app import App
from cloudq.codec import decode, encode
from cloudq.delivery import Dead, Done, Execution, Ignored, Outcome, Reason, Requeue, RetryLater
from cloudq.errors import (
    ArgumentError,
    BackendError,
    ConfigurationError,
    DecodeError,
    EncodeError,
    Ignore,
    Reject,
    Retry,
    TimeLimitError,
    UnknownVersionError,
)
from cloudq.message import Message
from cloudq.queues import FIFO_SUFFIX
from cloudq.request import Request, running
from cloudq.results import Record
from cloudq.retry import GiveUp, RetryPolicy
from cloudq.tasks import BoundTask, Task

__all__ = ["Context", "crashed", "execute", "given_back", "timed_out"]

logger = logging.getLogger(__name__)

UNKNOWN_RECEIVES = 10
"""Receives for which an unknown task or version is waited for: with doubling delays a little over a quarter
of an hour, longer than a rolling deploy takes."""

UNCOUNTED_RECEIVES = 80
"""Receives that are no sign of poison where a broker can't be told not to count them (SQS): those of records
that go back unrun, of a failed message's group-mates, of stops and of outages. Fewer than SQS's own redrive
waits for, which would move the message without a reason."""

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


def execute(app: App, body: bytes, context: Context) -> Execution:
    """Run a message. What the task raises becomes an outcome; only what ends the process passes through."""
    try:
        message = decode(body).received_from(context.queue)
    except UnknownVersionError as error:
        return Execution(outcome=_wait_for_deploy(context, Reason("unknown_version", str(error))))
    except DecodeError as error:
        return Execution(outcome=Dead(Reason("bad_body", str(error))))
    task = app.tasks.get(message.task)
    if task is None:
        reason = Reason("unknown_task", _unknown(message.task, list(app.tasks)))
        return _execution(_wait_for_deploy(context, reason), message, message.retries + 1)
    return _run_known(app, task, message, context)


def _run_known(app: App, task: Task[..., Any], message: Message, context: Context) -> Execution:
    failures, started_at = message.retries, app.clock.monotonic()
    try:
        record = app.results.load(message.id) if app.results else None
        failures = _failures(message, context, record, has_backend=app.results is not None)
        policy = task.options.policy.override(message.retry)
        is_exact = context.has_count or app.results is not None
        outcome = _admit(app, message, record)
        outcome = outcome or _poison(message, context, failures if is_exact else 0, policy)
        if outcome is None:
            started_at = app.clock.monotonic()
            outcome = _Attempt(app, task, message, context, failures, policy).run()
    except BackendError as error:
        outcome = Requeue(_growing(context), why=str(error))
    return _execution(outcome, message, failures + 1, app.clock.monotonic() - started_at)


def _execution(outcome: Outcome, message: Message, attempt: int, seconds: float = 0.0) -> Execution:
    return Execution(
        outcome=outcome,
        id=message.id,
        task=message.task,
        generation=message.generation,
        attempt=attempt,
        seconds=seconds,
    )


def crashed(body: bytes, context: Context, cause: str, *, retries: int = 0) -> Execution:
    """What becomes of a message whose process died while it ran.

    Args:
        body: The message's body.
        context: How it arrived.
        cause: What the process died of, for the reason.
        retries: The task's; where the body has no count, so many receives may be those of failures.
    """
    message = _read_or_none(body, context.queue)
    if message is None:
        return Execution(outcome=Requeue(_growing(context), why=cause))
    failures = message.retries if context.has_count else 0
    unexplained = context.receive_count - (failures if context.has_count else retries)
    # The first time at once: most deaths are not the message's fault.
    outcome: Outcome = Requeue(_growing(context) if unexplained > 1 else 0.0, why=cause, is_counted=True)
    # In a FIFO group most receives are a group-mate's doing; elsewhere this death is one among a few others.
    is_blind = context.queue.endswith(FIFO_SUFFIX) and not context.has_count
    if unexplained >= context.max_receives + (UNCOUNTED_RECEIVES if is_blind else 0):
        outcome = Dead(
            Reason("poison", f"Its process died {unexplained} times; the last time: {cause}", error=cause)
        )
    return _execution(outcome, message, failures + 1)


def given_back(body: bytes, why: str) -> Execution:
    """What becomes of a message that its consumer gives back for a reason that isn't the message's."""
    message = _read_or_none(body, None)
    outcome = Requeue(why=why)
    return (
        Execution(outcome=outcome) if message is None else _execution(outcome, message, message.retries + 1)
    )


def timed_out(body: bytes, context: Context, policy: RetryPolicy, limit: float) -> Execution:
    """What becomes of a message whose run was killed at its hard time limit: a failure like any other.

    Args:
        body: The message's body.
        context: How it arrived.
        policy: The task's, as far as a process without its code knows it.
        limit: The time limit, in seconds.
    """
    message = decode(body).received_from(context.queue)
    policy = policy.override(message.retry)
    failures = _failures(message, context, None, has_backend=False) + 1
    text = f"{message.task} ran longer than its time limit of {limit:g} s and was killed"
    error = _described(TimeLimitError(text, task=message.task))
    match policy.after(failures, None):
        case GiveUp(why):
            outcome: Outcome = Dead(Reason("failed", f"{error} ({why}).", error=error, failures=failures))
        case again:
            outcome = RetryLater(again.delay, failures, error, body=_counted(message, failures))
    return _execution(outcome, message, failures, limit)


def _read_or_none(body: bytes, queue: str | None) -> Message | None:
    try:
        message = decode(body)
        return message if queue is None else message.received_from(queue)
    except DecodeError:
        return None


def _growing(context: Context) -> float:
    return min(LONGEST_DEFERRAL, 2.0 ** min(context.receive_count, 16))


def _wait_for_deploy(context: Context, reason: Reason) -> Outcome:
    if context.receive_count >= UNKNOWN_RECEIVES:
        return Dead(reason)
    return Requeue(_growing(context), why=reason.text, is_counted=True)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)[:3]
    listed = ", ".join(near) if near else "none at all"
    return f"No task is called {name!r} here; the nearest of {len(known)}: {listed}. Is its module imported?"


def _counted(message: Message, failures: int) -> bytes | None:
    """The message with its count of failures; None, to leave it as it is, where it can't be written."""
    try:
        return encode(dataclasses.replace(message, retries=failures))
    except EncodeError as error:
        logger.warning(
            "not rewritten: %s", error, extra={"action": "not_rewritten", "message_id": message.id}
        )
        return None


def _failures(message: Message, context: Context, record: Record | None, *, has_backend: bool) -> int:
    """Attempts that have failed: exact where body or backend counts, else the receives before this."""
    if context.has_count:
        return message.retries
    if record is not None and record.generation == message.generation:
        return max(message.retries, record.failures)
    return message.retries if has_backend else message.retries + context.receive_count - 1


def _admit(app: App, message: Message, record: Record | None) -> Outcome | None:
    """Why the message needs no run, or none now."""
    now = app.clock.now()
    if record is not None and record.generation == message.generation:
        if record.state == "SUCCESS":
            return Ignored("it has succeeded already")
        if record.state == "REVOKED":
            return Ignored("it was revoked")
        if record.state in ("FAILURE", "DEAD"):
            return Dead(
                Reason("failed", record.error, record.error, record.traceback, failures=record.failures)
            )
    if message.expires is not None and now >= message.expires:
        return Ignored(f"it expired {now - message.expires:.0f} s ago", is_revoked=True)
    if message.eta is not None and message.eta > now:
        return Requeue(message.eta - now, why="it is not due yet", body=_counted(message, message.retries))
    return None


def _poison(message: Message, context: Context, failures: int, policy: RetryPolicy) -> Outcome | None:
    """Why a message seems to kill whoever runs it: many receives, and `failures` that are known for sure."""
    explained = failures if context.has_count else max(0, max(policy.retries, failures) - message.retries)
    unexplained = context.receive_count - 1 - explained
    if unexplained < context.max_receives + (0 if context.has_count else UNCOUNTED_RECEIVES):
        return None
    text = (
        f"It was received {context.receive_count} times, {unexplained} of them without an end: "
        "it seems to kill whoever runs it."
    )
    return Dead(Reason("poison", text, failures=failures))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One call of the user's function, and what it comes to."""

    app: App
    task: Task[..., Any]
    message: Message
    context: Context
    failures: int
    policy: RetryPolicy

    def run(self) -> Outcome:  # noqa: PLR0911 - one return a way out
        try:
            args, kwargs = self.task.parameters.read(self.message.args, self.message.kwargs)
        except ArgumentError as error:
            return Dead(Reason("bad_arguments", str(error), error=_described(error), failures=self.failures))
        except ConfigurationError as error:  # the function's hints: a deploy mends it, or nothing does
            return _wait_for_deploy(self.context, Reason("bad_arguments", str(error)))
        token = running.set(request := self._request())
        try:
            result = self._call(request, args, kwargs)
            return Done(self.task.returned.write(result) if self.app.results else None)
        except EncodeError as error:
            return Dead(Reason("bad_result", str(error), error=_described(error), failures=self.failures))
        except Ignore:
            return Ignored("the task said so")
        except Reject as signal:
            return self._rejected(signal)
        except Retry as signal:
            return self._retried(signal)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, SystemExit too
            return self._failed(error)
        finally:
            running.reset(token)

    def _call(self, request: Request, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if not self.task.options.is_bound:
            return _finished(self.task.function(*args, **kwargs))
        bound = BoundTask(self.task.name, request, self._progress)
        value = _finished(self.task.function(bound, *args, **kwargs))
        if bound.asked_retry is not None:
            logger.warning(
                "self.retry() was called but not raised: write `raise self.retry(...)`",
                extra={"action": "retry_not_raised", "task": self.task.name, "message_id": self.message.id},
            )
            raise bound.asked_retry
        return value

    def _request(self) -> Request:
        limit = self.task.options.time_limit or self.app.conf.settings.task_time_limit
        if limit:
            self.context.on_limit(limit)
        ends = [self.app.clock.monotonic() + limit] if limit else []
        if self.context.deadline is not None:
            ends.append(self.context.deadline)
        return Request(
            message=self.message,
            queue=self.context.queue,
            retries=self.failures,
            receive_count=self.context.receive_count,
            monotonic=self.app.clock.monotonic,
            deadline=min(ends, default=None),
            is_lease_lost=self.context.is_lease_lost,
        )

    def _rejected(self, signal: Reject) -> Outcome:
        if signal.requeue:
            return Requeue(1.0, why=signal.reason or "the task gave it back")
        text = signal.reason or "The task rejected it."
        return Dead(Reason("rejected", text, error=_described(signal), failures=self.failures))

    def _retried(self, signal: Retry) -> Outcome:
        cause = signal.__cause__ or signal.__context__
        return self._again(self.policy.after(self.failures + 1, signal.countdown), cause or signal)

    def _failed(self, error: BaseException) -> Outcome:
        return self._again(self.policy.decide(self.failures + 1, error), error)

    def _again(self, decision: Any, error: BaseException) -> Outcome:
        failures, text, trace = self.failures + 1, _described(error), _traceback(error)
        if isinstance(decision, GiveUp):
            return Dead(Reason("failed", f"{text} ({decision.why}).", text, trace, failures=failures))
        return RetryLater(decision.delay, failures, text, trace, _counted(self.message, failures))

    def _progress(self, progress: Any) -> None:
        try:
            self._save_progress(progress)
        except BackendError as error:  # nobody sees it, but the work goes on
            extra = {"action": "progress_lost", "task": self.task.name, "message_id": self.message.id}
            logger.warning("progress is lost: %s", error, extra=extra)

    def _save_progress(self, progress: Any) -> None:
        if self.app.results:
            record = Record(
                state="PROGRESS",
                task=self.message.task,
                generation=self.message.generation,
                attempt=self.failures + 1,
                failures=self.failures,
                progress=progress,
            )
            self.app.results.save({self.message.id: record})


def _finished(value: Any) -> Any:
    """What a function gave back; what it awaits to give, where it is a coroutine function."""
    if not inspect.iscoroutine(value):
        return value
    import asyncio

    return asyncio.run(value)


def _described(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - its __str__ is the user's code, too
        text = "(its text can't be shown)"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _traceback(error: BaseException) -> str:
    """The traceback from the user's function on: the frames above are ours."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__") == __name__:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))
