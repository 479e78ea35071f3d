"""Counts requests and prints the table: python -m benchmarks.requests [--only cloudq] [--idle SECONDS]."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from benchmarks.emulator import servers
from cloudq.clock import SystemClock

_PEERS: Final = Path(".venv-peers/bin").absolute()
_OURS: Final = Path(sys.executable).parent
_MODULES: Final = "benchmarks.requests.contenders"
_LINE: Final = 8
_PATIENCE: Final = 60.0
"""Seconds for which a run may stand still before it is given up."""

_SEND: Final = "SendMessage"
_RECEIVE: Final = "ReceiveMessage"


@dataclass(frozen=True, slots=True)
class Contender:
    """A task queue.

    Args:
        title: What the table calls it.
        module: Its module in `contenders`.
        bin: The environment it lives in.
        command: What starts its worker, `{c}` standing for how many tasks it runs at once.
    """

    title: str
    module: str
    bin: Path
    command: str


CONTENDERS: Final = (
    Contender("cloudq", "ours", _OURS, "cloudq worker -A {module}:app -c {c} -l warning"),
    Contender(
        "Celery", "celery_on_sqs", _PEERS,
        "celery -A {module} worker -c {c} -l warning --without-gossip --without-mingle",
    ),
    Contender("dramatiq_sqs", "dramatiq_on_sqs", _PEERS, "dramatiq {module} -p 1 -t {c}"),
    Contender(
        "taskiq-aio-sqs", "taskiq_on_sqs", _PEERS,
        "taskiq worker {module}:broker -w 1 --max-async-tasks {c} --max-threadpool-threads {c} "
        "--ack-type when_executed",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of each.

    Args:
        title: What the table calls it.
        how: The function that sends.
        count: How many tasks.
        seconds: How long each waits.
        concurrency: How many run at once.
    """

    title: str
    how: str
    count: int
    seconds: float
    concurrency: int


LOADS: Final = (
    Load("no-op, batches, -c 4", "send", 2000, 0.0, 4),
    Load("no-op, batches, -c 16", "send", 2000, 0.0, 16),
    Load("20 ms, batches, -c 4", "send", 1000, 0.02, 4),
    Load("20 ms, batches, -c 16", "send", 1000, 0.02, 16),
    Load("200 ms, batches, -c 4", "send", 100, 0.2, 4),
    Load("no-op, one by one from 32 threads, -c 4", "send_one_by_one", 2000, 0.0, 4),
)


@click.command()
@click.option("--only", help="This contender alone.")
@click.option(
    "--idle", type=float, help="Count what cloudq's worker asks in so many idle seconds, and no more."
)
def main(*, only: str | None, idle: float | None) -> None:
    """Count requests to SQS for a task, ours and the peers'."""
    if idle is not None:
        counts = _idle(CONTENDERS[0], idle)
        click.echo(f"idle for {idle:g} s: {dict(counts)}, {60 * sum(counts.values()) / idle:.2f} a minute")
        return
    click.echo(f"{'':42}{'contender':17}{'a task':>8}{'sending':>9}{'receiving':>11}{'rest':>7}")
    for load in LOADS:
        for contender in CONTENDERS:
            if only in (None, contender.title):
                click.echo(_tried(load, contender))


def _tried(load: Load, contender: Contender) -> str:
    try:
        return _row(load, contender, _count(contender, load))
    except _StalledError as error:
        return f"{load.title:42}{contender.title:17}{error}"


class _StalledError(Exception):
    """A worker ran nothing for a long time."""


def _row(load: Load, contender: Contender, counts: Counter[str]) -> str:
    parts = [
        sum(number for name, number in counts.items() if name.startswith(kind)) / load.count
        for kind in ("", _SEND, _RECEIVE)
    ]
    all_of_them, sending, receiving = parts
    rest = all_of_them - sending - receiving
    return f"{load.title:42}{contender.title:17}{all_of_them:8.3f}{sending:9.3f}{receiving:11.3f}{rest:7.3f}"


def _count(contender: Contender, load: Load) -> Counter[str]:
    """Requests from the first send until every task was run and the worker has stopped."""
    with servers.cloudq() as server, tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        notes.touch()
        environment = _environment(f"http://localhost:{server.address[1]}", notes)
        program = f"from {_MODULES}.{contender.module} import *\n{load.how}({load.count}, {load.seconds})"
        subprocess.run([contender.bin / "python", "-c", program], env=environment, check=True)
        with subprocess.Popen(
            _command(contender, load.concurrency),
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as worker:
            try:
                _await(notes, load.count)
            finally:
                counts = _requests(server)
                worker.terminate()
                worker.communicate(timeout=60)
        return _settled(counts, server)


def _settled(before: Counter[str], server: servers.Server) -> Counter[str]:
    """The counts, with what was deleted after the last task; polls that find nothing are left out."""
    after = _requests(server)
    after[_RECEIVE] = before[_RECEIVE]
    return after


def _idle(contender: Contender, seconds: float) -> Counter[str]:
    """What an idle worker asks, after its first minute."""
    with servers.cloudq() as server, tempfile.TemporaryDirectory() as folder:
        environment = _environment(f"http://localhost:{server.address[1]}", Path(folder) / "notes")
        with subprocess.Popen(_command(contender, 4), env=environment) as worker:
            SystemClock().sleep(60)
            before = _requests(server)
            SystemClock().sleep(seconds)
            after = _requests(server)
            worker.terminate()
        return after - before


def _command(contender: Contender, concurrency: int) -> Sequence[str]:
    words = contender.command.format(module=f"{_MODULES}.{contender.module}", c=concurrency).split()
    return [str(contender.bin / words[0]), *words[1:]]


def _environment(endpoint: str, notes: Path) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - to pass on
        "HOME": str(notes.parent),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "BENCH_NOTES": str(notes),
        "PYTHONPATH": ".",
    }


def _await(notes: Path, count: int) -> None:
    clock = SystemClock()
    seen, changed = 0, clock.monotonic()
    while seen < count:
        clock.sleep(0.02)
        if (now := len(set(notes.read_bytes().split()))) > seen:
            seen, changed = now, clock.monotonic()
        if clock.monotonic() - changed > _PATIENCE:
            raise _StalledError(f"stalled after {seen} of {count} tasks")


def _requests(server: servers.Server) -> Counter[str]:
    url = f"http://localhost:{server.address[1]}/_cloudq/requests"
    with urllib.request.urlopen(url, timeout=30) as answer:
        rows = json.load(answer)["requests"]
    counts: Counter[str] = Counter()
    for row in rows:
        if row["service"] == "sqs":
            counts[row["operation"]] += row["count"]
    return counts


if __name__ == "__main__":
    main()
