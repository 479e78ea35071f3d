"""Running a message: the only executor, the same in a worker, in Lambda and in a test.

It takes a body as it came and returns an `Execution` with one outcome, whatever happens. It asks the backend,
but never the broker: settling the delivery is `cloudq.settling`'s.

    read the body → find the task → admit the message → read the arguments → run → judge
"""

from __future__ import annotations

import difflib

from cloudq.app import App
from cloudq.attempt import Attempt, Context, counted, described, growing, wait_for_deploy
from cloudq.codec import decode
from cloudq.delivery import Dead, Execution, Ignored, Outcome, Reason, Requeue, RetryLater
from cloudq.errors import BackendError, DecodeError, TimeLimitError, UnknownVersionError
from cloudq.message import Message
from cloudq.queues import FIFO_SUFFIX
from cloudq.results import Record
from cloudq.retry import GiveUp, RetryPolicy

__all__ = ["Context", "crashed", "execute", "execute_async", "given_back", "timed_out"]

UNCOUNTED_RECEIVES = 80
"""Receives that are no sign of poison where a broker can't be told not to count them (SQS): those of records
that go back unrun, of a failed message's group-mates, of stops and of outages. Fewer than SQS's own redrive
waits for, which would move the message without a reason."""


def execute(app: App, body: bytes, context: Context) -> Execution:
    """Run a message. What the task raises becomes an outcome; only what ends the process passes through."""
    attempt = _admitted(app, body, context)
    if isinstance(attempt, Execution):
        return attempt
    started_at = app.clock.monotonic()
    outcome = attempt.run()
    return _execution(outcome, attempt.message, attempt.failures + 1, app.clock.monotonic() - started_at)


async def execute_async(app: App, body: bytes, context: Context) -> Execution:
    """As `execute`, in the running event loop; what is no coroutine function runs in a thread beside it."""
    from asyncio import to_thread

    blocks = app.results is not None or app.claims is not None
    attempt = await to_thread(_admitted, app, body, context) if blocks else _admitted(app, body, context)
    if isinstance(attempt, Execution):
        return attempt
    started_at = app.clock.monotonic()
    outcome = await (attempt.run_async() if attempt.task.is_async else to_thread(attempt.run))
    return _execution(outcome, attempt.message, attempt.failures + 1, app.clock.monotonic() - started_at)


def _admitted(app: App, body: bytes, context: Context) -> Attempt | Execution:
    """The attempt that is due, or what becomes of a message that isn't run."""
    try:
        message = decode(body).received_from(context.queue)
    except UnknownVersionError as error:
        return Execution(outcome=wait_for_deploy(context, Reason("unknown_version", str(error))))
    except DecodeError as error:
        return Execution(outcome=Dead(Reason("bad_body", str(error))))
    task = app.tasks.get(message.task)
    if task is None:
        reason = Reason("unknown_task", _unknown(message.task, list(app.tasks)))
        return _execution(wait_for_deploy(context, reason), message, message.retries + 1)
    results, failures = app.results, message.retries
    try:
        record = results.load(message.id) if results is not None else None
    except BackendError as error:
        return _execution(Requeue(growing(context), why=str(error)), message, failures + 1)
    failures = _failures(message, context, record, has_backend=results is not None)
    policy = task.options.policy.override(message.retry)
    is_exact = context.has_count or results is not None
    refused = _refused(app, message, record) or _poison(message, context, failures if is_exact else 0, policy)
    whole = refused or (message if message.ref is None else _fetched(app, message, context))
    if not isinstance(whole, Message):
        return _execution(whole, message, failures + 1)
    return Attempt(app, results, task, whole, context, failures, policy)


def _fetched(app: App, message: Message, context: Context) -> Message | Outcome:
    """The message with what lies at its `ref`, or what becomes of it without."""
    if app.claims is None:
        why = f"Its body lies at {message.ref}: set claim_checks to where that is."
        return Dead(Reason("claim_gone", why))
    try:
        whole = app.claims.fetched(message)
    except BackendError as error:
        return Requeue(growing(context), why=str(error))
    except DecodeError as error:
        return Dead(Reason("bad_body", f"At {message.ref}: {error}"))
    why = f"Its body isn't at {message.ref}, or claim_checks names another place."
    return whole or Dead(Reason("claim_gone", why))


def _execution(outcome: Outcome, message: Message, attempt: int, seconds: float = 0.0) -> Execution:
    return Execution(outcome, message.id, message.task, message.generation, attempt, seconds)


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
        return Execution(outcome=Requeue(growing(context), why=cause))
    failures = message.retries if context.has_count else 0
    unexplained = context.receive_count - (failures if context.has_count else retries)
    # The first time at once: most deaths are not the message's fault.
    outcome: Outcome = Requeue(growing(context) if unexplained > 1 else 0.0, why=cause, is_counted=True)
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
    error = described(TimeLimitError(text, task=message.task))
    match policy.after(failures, None):
        case GiveUp(why):
            outcome: Outcome = Dead(Reason("failed", f"{error} ({why}).", error=error, failures=failures))
        case again:
            outcome = RetryLater(again.delay, failures, error, body=counted(message, failures))
    return _execution(outcome, message, failures, limit)


def _read_or_none(body: bytes, queue: str | None) -> Message | None:
    try:
        message = decode(body)
        return message if queue is None else message.received_from(queue)
    except DecodeError:
        return None


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)[:3]
    listed = ", ".join(near) if near else "none at all"
    return f"No task is called {name!r} here; the nearest of {len(known)}: {listed}. Is its module imported?"


def _failures(message: Message, context: Context, record: Record | None, *, has_backend: bool) -> int:
    """Attempts that have failed: exact where body or backend counts, else the receives before this."""
    if context.has_count:
        return message.retries
    if record is not None and record.generation == message.generation:
        return max(message.retries, record.failures)
    return message.retries if has_backend else message.retries + context.receive_count - 1


def _refused(app: App, message: Message, record: Record | None) -> Outcome | None:
    """Why the message needs no run, or none now."""
    if record is not None and record.generation == message.generation:
        if record.state == "SUCCESS":
            return Ignored("it has succeeded already")
        if record.state == "REVOKED":
            return Ignored("it was revoked")
        if record.state in ("FAILURE", "DEAD"):
            return Dead(
                Reason("failed", record.error, record.error, record.traceback, failures=record.failures)
            )
    if message.expires is not None and (now := app.clock.now()) >= message.expires:
        return Ignored(f"it expired {now - message.expires:.0f} s ago", is_revoked=True)
    if message.eta is not None and message.eta > (now := app.clock.now()):
        return Requeue(message.eta - now, why="it is not due yet", body=counted(message, message.retries))
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
