"""`cloudq worker`: receive messages and run them."""

from __future__ import annotations

import sys
from typing import get_args

import click

from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import counted, masked
from cloudq.config import Pool
from cloudq.worker.forkserver import Program
from cloudq.worker.logs import set_up_logs
from cloudq.worker.start import Options, Started, work

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
    "--grace", type=click.FloatRange(0), help="Seconds that running tasks are given on a stop. Default: 30."
)
@json_option
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
    as_json: bool,
) -> None:
    r"""Receive messages and run them, until Ctrl-C or SIGTERM.

    A stop lets running tasks end and gives the rest back to their queues; a second one doesn't wait.

    \b
    cloudq worker -A shop.tasks
    cloudq worker -A shop.tasks -Q emails,reports -c 8
    cloudq worker -A shop.tasks --pool thread -c 50
    """
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
        queues=[one.strip() for one in queues.split(",") if one.strip()] if queues else (),
        is_burst=burst,
        grace=grace,
    )
    work(options, _announce)


def _announce(started: Started) -> None:
    settings, plan = started.app.conf.settings, started.plan
    tasks = counted(len(started.snapshot.policies), "task")
    slots = f"{plan.children} of {plan.slots}" if plan.slots > 1 else str(plan.children)
    left = [name for name in started.snapshot.queues if name not in plan.queues]
    lines = [
        f"{started.snapshot.name}: {tasks}, pool {started.pool} ({slots})",
        f"  broker   {masked(settings.broker_url)}",
        f"  results  {masked(settings.result_backend) if settings.has_results else 'not kept'}",
        f"  queues   {', '.join(plan.queues)}" + (f"   (left to others: {', '.join(left)})" if left else ""),
    ]
    click.echo("\n".join(lines), err=True)
