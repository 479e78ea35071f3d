"""Starting a worker: puts crew, app and supervisor together and passes signals on."""

from __future__ import annotations

import difflib
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

from cloudq.app import App
from cloudq.clock import Clock
from cloudq.errors import ConfigurationError
from cloudq.worker.crew import ForkedCrew, InlineCrew
from cloudq.worker.executors.solo import run_solo
from cloudq.worker.forkserver import Program, open_app, shape
from cloudq.worker.snapshot import Snapshot
from cloudq.worker.supervisor import Plan, Supervisor
from cloudq.worker.tally import Tally

__all__ = ["Options", "Started", "work"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a worker is started with.

    Args:
        program: What its processes run.
        queues: Where it receives, each only when those before it are empty; none for all that are a worker's,
            by turns.
        is_burst: Whether it ends when the queues are empty.
        grace: Seconds that running tasks are given when it stops; None takes the app's setting.
    """

    program: Program
    queues: Sequence[str] = ()
    is_burst: bool = False
    grace: float | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """What a worker that is about to run tells whoever started it."""

    app: App
    snapshot: Snapshot
    plan: Plan
    look: Callable[[Callable[[Tally], Any]], None]
    """Has its argument called with the worker's numbers, once; see `Supervisor.look`."""


def work(
    options: Options, announce: Callable[[Started], Any], clock: Clock, *, leaving: Callable[[], Any]
) -> None:
    """Run a worker until a signal stops it. Call it in the main thread.

    Args:
        options: What to run.
        announce: Called once, before the first message is received.
        clock: Time.
        leaving: Called before the process is ended where that can't wait for what is still under way.

    Raises:
        ConfigurationError: The app, a queue or a setting is wrong.
        AppImportError: The app's module raised.
        BrokerError: The broker can't be reached, or has no such queue.
        CloudqError: Children die before they are ready.
    """
    if options.program.overrides.get("worker_pool") == "solo":
        _work_inline(options, announce, clock, leaving)
        return
    _on_signals(_interrupt, _interrupt)
    crew = ForkedCrew(options.program)
    try:
        snapshot = crew.snapshot
        if snapshot.settings["worker_pool"] == "solo":
            crew.close()
            _work_inline(options, announce, clock, leaving)
            return
        app = snapshot.app(clock)
        plan = _plan(options, snapshot, app)
        _refuse_unshared(app)
        supervisor = Supervisor(app, snapshot, crew, plan, clock)
        announce(Started(app, snapshot, plan, supervisor.look))
        _on_signals(supervisor.stop, supervisor.stop_at_once)
        supervisor.run()
    except BaseException:
        crew.close()
        raise
    if supervisor.left_something:
        _leave(leaving)
    app.close()


def _work_inline(
    options: Options, announce: Callable[[Started], Any], clock: Clock, leaving: Callable[[], Any]
) -> None:
    """`--pool solo`: tasks run here, in the main thread; the supervisor's loop has a thread of its own."""
    app = open_app(options.program)
    crew = InlineCrew(app, run_solo)
    snapshot = Snapshot.of(app)
    plan = _plan(options, snapshot, app)
    supervisor = Supervisor(app, snapshot, crew, plan, clock)
    announce(Started(app, snapshot, plan, supervisor.look))
    errors: list[BaseException] = []

    def supervise() -> None:
        try:
            supervisor.run()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the main thread
            errors.append(error)
        finally:
            crew.close()
        if supervisor.left_something:
            _leave(leaving)

    thread = threading.Thread(target=supervise, name="cloudq-supervisor", daemon=True)
    _on_signals(supervisor.stop, supervisor.stop_at_once)
    thread.start()
    crew.serve()
    thread.join()
    app.close()
    if errors:
        raise errors[0]


def _refuse_unshared(app: App) -> None:
    if not app.broker.limits.is_shared:
        raise ConfigurationError(
            f"{app.conf.settings.broker_url} is seen by one process alone, and a worker has several: "
            "use sqlite:///path, or --pool solo."
        )


def _refuse_longer_than_leases(app: App, snapshot: Snapshot) -> None:
    longest = app.broker.limits.max_lease
    for task, limit in snapshot.limits.items():
        if longest is not None and limit > longest:
            scheme = app.conf.settings.broker_url.partition(":")[0]
            raise ConfigurationError(
                f"Task {task!r} may run for {limit:g} s, and {scheme} gives a message to somebody else after "
                f"{longest:g} s: lower its time_limit, or see what the broker's page says of long leases."
            )


def _leave(leaving: Callable[[], Any]) -> None:
    """End the process without waiting for what is still under way: a task's thread, a long poll."""
    logging.shutdown()
    leaving()
    os._exit(0)


def _on_signals(stop: Callable[[], Any], at_once: Callable[[], Any]) -> None:
    """SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is gone) stop; SIGQUIT stops at once."""
    has_stopped = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal has_stopped
        if number == signal.SIGQUIT:
            at_once()
        elif number != signal.SIGHUP or not has_stopped:  # sent twice, by the kernel and by a shell: no hurry
            stop()
        has_stopped = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, handle)


def _interrupt() -> None:
    raise KeyboardInterrupt


def _plan(options: Options, snapshot: Snapshot, app: App) -> Plan:
    pool = snapshot.settings["worker_pool"]
    children, slots = shape(pool, snapshot.settings["worker_concurrency"], options.program.processes)
    queues = _queues(options.queues, snapshot, app.conf.settings.broker_url)
    _refuse_longer_than_leases(app, snapshot)
    plan = Plan(
        queues=queues,
        is_strict=bool(options.queues),
        children=children,
        slots=slots,
        lease=min(app.queue(name).lease_seconds for name in queues),
        grace=options.grace if options.grace is not None else snapshot.settings["worker_grace"],
        is_burst=options.is_burst,
        max_tasks=None if pool == "solo" else snapshot.settings["worker_max_tasks_per_child"],
    )
    if snapshot.limits and slots > 1:
        logger.warning(
            "a run past its hard time limit (%s) ends its process and up to %d others, which are run again: "
            "prefer soft_time_limit here",
            ", ".join(sorted(snapshot.limits)[:3]),
            slots - 1,
            extra={"action": "hard_limit_shared"},
        )
    return plan


def _queues(names: Sequence[str], snapshot: Snapshot, broker_url: str) -> list[str]:
    if len(set(names)) < len(names):
        raise ConfigurationError(f"-Q {','.join(names)} names a queue twice.")
    for name in names:
        if name not in snapshot.queues:
            near = difflib.get_close_matches(name, snapshot.queues, n=1)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise ConfigurationError(
                f"App {snapshot.name!r} has no queue {name!r}. {hint}It has: {', '.join(snapshot.queues)}."
            )
    if names:
        return list(names)
    # On SQS a Lambda function empties the others; anywhere else nobody would.
    ours = [
        queue.name
        for queue in snapshot.queues.values()
        if queue.consumer == "worker" or not broker_url.startswith("sqs:")
    ]
    if not ours:
        raise ConfigurationError(
            f"All queues of {snapshot.name!r} are emptied by Lambda functions: name some with -Q."
        )
    return ours
