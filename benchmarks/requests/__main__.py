"""Counts requests to SQS for a task, and those of idle workers; writes them down."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import click

from benchmarks import brokers, report, task_queues
from benchmarks.machine import describe, peers
from benchmarks.task_queues import CELERY, CLOUDQ, DRAMATIQ, TASKIQ, TaskQueue
from benchmarks.workers import Setting, StalledError
from cloudq.clock import SystemClock

_SEND: Final = "SendMessage"
_RECEIVE: Final = "ReceiveMessage"
_IDLE: Final = 600.0
_WARM: Final = 60.0
"""Seconds of an idle worker that aren't counted: it starts."""

_IDLE_AT_ONCE: Final = 4

_CONTENDERS: Final[Mapping[TaskQueue, str]] = {
    CLOUDQ: CLOUDQ.processes,
    CELERY: CELERY.processes,
    DRAMATIQ: DRAMATIQ.in_one,
    TASKIQ: TASKIQ.in_one,
}
"""The task queues, and how each runs several tasks at once with one consumer of the queue."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of each.

    Args:
        title: What the table calls it.
        how: How it is sent, as `benchmarks.contenders.sender` says.
        count: How many tasks.
        seconds: How long each waits.
        at_once: How many run at once.
    """

    title: str
    how: str
    count: int
    seconds: float
    at_once: int

    @property
    def task(self) -> tuple[Any, ...]:
        """What the sender is told of the tasks."""
        return ("nap", self.count, self.seconds) if self.seconds else ("noop", self.count)


_LOADS: Final = (
    Load("no-op, batches, 4 at once", "many", 2000, 0.0, 4),
    Load("no-op, batches, 16 at once", "many", 2000, 0.0, 16),
    Load("20 ms, batches, 4 at once", "many", 1000, 0.02, 4),
    Load("20 ms, batches, 16 at once", "many", 1000, 0.02, 16),
    Load("200 ms, batches, 4 at once", "many", 300, 0.2, 4),
    Load("no-op, one by one from 32 threads, 4 at once", "at_once", 2000, 0.0, 4),
    Load("no-op, one by one from 32 threads, 16 at once", "at_once", 2000, 0.0, 16),
)


@click.command()
@click.option(
    "--quick", is_flag=True, help="A tenth of the tasks, five idle seconds; nothing is written down."
)
@click.option(
    "--only", type=click.Choice([queue.title for queue in _CONTENDERS]), help="This one alone; as above."
)
def main(*, quick: bool, only: str | None) -> None:
    """Count requests to SQS for a task, ours and the peers'."""
    if not task_queues.INSTALLED:
        raise click.ClickException("the peers aren't installed: make bench-requests does it")
    chosen = [queue for queue in _CONTENDERS if only in (None, queue.title)]
    idle_seconds = 5.0 if quick else _IDLE
    with ThreadPoolExecutor(len(chosen)) as threads:  # idle workers take no CPU: they wait meanwhile
        idle = [(queue, threads.submit(_idle, queue, idle_seconds)) for queue in chosen]
        rows = [_tried(load, queue, 10 if quick else 1) for load in _LOADS for queue in chosen]
        click.echo("Waiting for the idle ones ...", err=True)
        idle_rows = [{"title": queue.title, "a_minute": count.result()} for queue, count in idle]
    machine = {**describe(["cloudq"]), **peers()}
    results = {"machine": machine, "rows": rows, "idle": idle_rows, "idle_seconds": idle_seconds}
    report.show("requests", results)
    if not (quick or only):
        report.save("requests", results)


def _tried(load: Load, queue: TaskQueue, part: int) -> dict[str, Any]:
    click.echo(f"{load.title}, {queue.title}: ", nl=False, err=True)
    row: dict[str, Any] = {"load": load.title, "title": queue.title}
    small = Load(load.title, load.how, load.count // part, load.seconds, load.at_once)
    try:
        counts = _count(queue, small)
    except StalledError as error:
        click.echo(error, err=True)
        return {**row, "stalled": str(error)}
    parts = {
        name: sum(number for operation, number in counts.items() if operation.startswith(prefix))
        / small.count
        for name, prefix in (("all", ""), ("sending", _SEND), ("receiving", _RECEIVE))
    }
    click.echo(f"{parts['all']:.3f} a task", err=True)
    return {**row, **parts}


def _count(queue: TaskQueue, load: Load) -> Counter[str]:
    """Requests from the first send until every task was run and the worker has stopped; see `_settled`.

    The one task that is sent beforehand is run and counted with the others: a two-thousandth of them.
    """
    with TemporaryDirectory() as folder, brokers.empty("sqs", Path(folder)) as endpoint:
        setting = _setting(queue, endpoint, Path(folder))
        setting.send(load.how, *load.task)
        with setting.worker(_CONTENDERS[queue], load.at_once) as worker:
            worker.watch(load.count + 1)
            counts = _requests(endpoint)
        return _settled(counts, endpoint)


def _settled(before: Counter[str], endpoint: str) -> Counter[str]:
    """The counts, with what was deleted after the last task; polls that find nothing are left out."""
    after = _requests(endpoint)
    after[_RECEIVE] = before[_RECEIVE]
    return after


def _idle(queue: TaskQueue, seconds: float) -> float:
    """Requests a minute of an idle worker."""
    clock = SystemClock()
    with (
        TemporaryDirectory() as folder,
        brokers.empty("sqs", Path(folder)) as endpoint,
        _setting(queue, endpoint, Path(folder)).worker(_CONTENDERS[queue], _IDLE_AT_ONCE),
    ):
        clock.sleep(min(_WARM, seconds))
        before = _requests(endpoint)
        clock.sleep(seconds)
        after = _requests(endpoint)
    return (after - before).total() * 60 / seconds


def _setting(queue: TaskQueue, endpoint: str, folder: Path) -> Setting:
    notes = folder / "notes"
    notes.touch()
    return Setting(queue, "sqs", endpoint, notes)


def _requests(endpoint: str) -> Counter[str]:
    with urllib.request.urlopen(f"{endpoint}/_cloudq/requests", timeout=30) as answer:  # noqa: S310 - ours
        rows: Sequence[Mapping[str, Any]] = json.load(answer)["requests"]
    counts: Counter[str] = Counter()
    for row in rows:
        if row["service"] == "sqs":
            counts[row["operation"]] += row["count"]
    return counts


if __name__ == "__main__":
    main()
