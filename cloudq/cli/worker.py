"""`cloudq worker`: receive messages and run them."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from typing import TYPE_CHECKING, get_args

import click

from cloudq.cli.options import AppSource, app_options
from cloudq.cli.output import counted, masked
from cloudq.cli.status_line import StatusLine
from cloudq.clock import clock_of
from cloudq.config import CLOCK, Pool, environment
from cloudq.worker.forkserver import Program
from cloudq.worker.logs import set_up_logs
from cloudq.worker.start import Options, Started, work
from cloudq.worker.tally import Pace, Tally

if TYPE_CHECKING:
    from cloudq.cli.console import Console

__all__ = ["worker"]

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@click.command()
@app_options
@click.option(
    "-Q",
    "--queues",
    metavar="NAMES",
    help="Queues to empty, with commas between them, the first preferred. Default: all of the app's.",
)
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1),
    metavar="N",
    help="Tasks to run at once. Default: one a core; 100 coroutines or greenlets.",
)
@click.option(
    "-P",
    "--pool",
    type=click.Choice(get_args(Pool)),
    help="prefork: a process a task (default). thread, asyncio, gevent: for tasks that wait. solo: in this "
    "process, to debug.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    metavar="N",
    help="Processes that share the threads, coroutines or greenlets.",
)
@click.option("-n", "--name", metavar="NAME", help="What this worker is called in its logs.")
@click.option(
    "-l",
    "--loglevel",
    type=click.Choice(_LEVELS, case_sensitive=False),
    default="INFO",
    help="Lowest level logged.",
)
@click.option("--burst", is_flag=True, help="End when no message is ready; delayed ones stay.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="What running tasks are given on a stop. Default: 30.",
)
@click.option(
    "--status/--no-status",
    "wants_status",
    default=None,
    help="Keep a line with the worker's numbers at the bottom. Default: on a terminal.",
)
@click.option("--json", "as_json", is_flag=True, help="Write logs as JSON, as is done off a terminal.")
def worker(  # noqa: PLR0913 - each is an option
    source: AppSource,
    *,
    queues: str | None,
    concurrency: int | None,
    pool: str | None,
    processes: int,
    name: str | None,
    loglevel: str,
    burst: bool,
    grace: float | None,
    wants_status: bool | None,
    as_json: bool,
) -> None:
    r"""Receive messages and run them, until Ctrl-C, SIGTERM or SIGHUP.

    A stop lets running tasks end, and gives the rest back to their queues. A second one, or SIGQUIT, ends the
    tasks at once and gives them back, too.

    \b
    cloudq worker -A shop.tasks
    cloudq worker -A shop.tasks -Q emails,reports -c 8
    cloudq worker -A shop.tasks --pool thread -c 50
    cloudq worker -A shop.tasks --burst          until the queues are empty
    """
    _refuse_misfits(pool, concurrency, processes, grace)
    _open_missing_streams()
    is_json = as_json or not sys.stderr.isatty()
    said = {"worker_concurrency": concurrency, "worker_pool": pool}
    program = Program(
        app=source.required(),
        overrides={**source.overrides, **{key: value for key, value in said.items() if value is not None}},
        config=source.config,
        processes=processes,
        name=name or "",
        log_level=loglevel.upper(),
        has_json_logs=is_json,
    )
    set_up_logs(program.log_level, is_json=is_json, worker=program.name)
    options = Options(
        program=program,
        queues=_names(queues),
        is_burst=burst,
        grace=grace,
    )
    clock = clock_of(environment(CLOCK))
    if not _has_status(wants_status, is_json=is_json):
        work(options, _announce, clock, leaving=lambda: None)
        return
    from cloudq.cli.console import Console  # a terminal's modules: not everywhere, and not for nothing

    console = Console(clock)

    def begin(started: Started) -> None:
        if started.snapshot.settings["worker_pool"] == "solo" and not wants_status:
            console.close()  # a debugger's prompt would be in its way
        _announce(started)
        _watch(started, console)

    console.open()
    try:
        work(options, begin, clock, leaving=console.close)
    finally:
        console.close()


def _open_missing_streams() -> None:
    """Stand something in for standard streams that whoever started the worker has closed.

    Otherwise the next socket is given the number of one of them, and what a task prints goes there.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115 - open to the process's end


def _refuse_misfits(pool: str | None, concurrency: int | None, processes: int, grace: float | None) -> None:
    if pool == "solo" and (concurrency or 1) > 1:
        raise click.UsageError(f"--pool solo runs one task at a time, which -c {concurrency} doesn't fit.")
    if pool in ("prefork", "solo") and processes > 1:
        raise click.UsageError(f"--processes is for pools with several tasks a process: say -c {processes}.")
    if processes > (concurrency or processes):
        raise click.UsageError(f"{processes} processes can't share -c {concurrency}: one would have nothing.")
    if grace is not None and not math.isfinite(grace):
        raise click.UsageError("--grace is a number of seconds.")


def _names(queues: str | None) -> list[str]:
    names = [one.strip() for one in (queues or "").split(",") if one.strip()]
    if queues is not None and not names:
        raise click.UsageError("-Q names no queue. Without -Q, all of the app's are emptied.")
    return names


def _has_status(is_wanted: bool | None, *, is_json: bool) -> bool:  # noqa: FBT001 - as the option has it
    can_have = sys.stderr.isatty() and environment("TERM") not in (None, "", "dumb")
    if is_wanted and not can_have:
        raise click.UsageError("--status needs a terminal that can erase a line, and standard error is none.")
    if is_wanted is None:
        return can_have and not is_json and not environment("CI")
    return is_wanted


def _watch(started: Started, console: Console) -> None:
    line, pace = StatusLine(started.snapshot.name, started.plan.queues), Pace()

    def show(tally: Tally) -> None:
        console.show(line.pieces(tally, pace.after(tally)))

    console.watch(lambda: started.look(show))


def _announce(started: Started) -> None:
    settings, plan = started.app.conf.settings, started.plan
    tasks = counted(len(started.snapshot.policies), "task")
    slots = f"{plan.children} of {plan.slots}" if plan.slots > 1 else str(plan.children)
    left = [name for name in started.snapshot.queues if name not in plan.queues]
    lines = [
        f"{started.snapshot.name}: {tasks}, pool {started.snapshot.settings['worker_pool']} ({slots})",
        f"  broker   {masked(settings.broker_url)}",
        f"  results  {masked(settings.result_backend) if settings.has_results else 'not kept'}",
        f"  queues   {', '.join(plan.queues)}" + (f"   (left to others: {', '.join(left)})" if left else ""),
    ]
    if not started.snapshot.policies:
        lines.append("  no tasks: the module that -A names must define them, or import those that do")
    with contextlib.suppress(OSError):  # a log on a full disk keeps no task from running
        click.echo("\n".join(lines), err=True)
