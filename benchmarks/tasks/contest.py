"""One contender's run: so many tasks sent, then drained by a worker with two children."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from benchmarks.emulator import servers
from benchmarks.tasks import on_rabbitmq
from benchmarks.tasks.contender import MODULES, OUR_WORKER, OURS, Contender
from benchmarks.tasks.contenders import LINE_BYTES
from cloudq.clock import SystemClock

_POLL: Final = 0.002
_PATIENCE: Final = 300.0
"""Seconds without any execution after which a run is given up."""


CONTENDERS: Final = (
    Contender(
        "cloudq, synchronous=NORMAL", "ours", "sqlite",
        OUR_WORKER,
        OURS, "sqlite:///{}?synchronous=normal", bulk=True,
    ),
    Contender(
        "cloudq, synchronous=FULL", "ours", "sqlite",
        OUR_WORKER,
        OURS, "sqlite:///{}", bulk=True,
    ),
    Contender(
        "Huey, synchronous=FULL", "huey_on_sqlite", "sqlite",
        ("huey_consumer", f"{MODULES}.huey_on_sqlite.huey", "-k", "process", "-w", "2", "-q"),
    ),
    Contender(
        "Huey, synchronous=OFF", "huey_on_sqlite", "sqlite",
        ("huey_consumer", f"{MODULES}.huey_on_sqlite.huey", "-k", "process", "-w", "2", "-q"),
        url="{}?fsync=off",
    ),
    Contender(
        "cloudq", "ours", "sqs",
        OUR_WORKER,
        OURS, "sqs://us-east-1?endpoint={}", bulk=True,
    ),
    Contender(
        "Celery", "celery_on_sqs", "sqs",
        ("celery", "-A", f"{MODULES}.celery_on_sqs", "worker", "-c", "2", "-l", "warning",
         "--without-gossip", "--without-mingle"),
    ),
    Contender(
        "dramatiq_sqs", "dramatiq_on_sqs", "sqs",
        ("dramatiq", f"{MODULES}.dramatiq_on_sqs", "-p", "2"),
    ),
    *on_rabbitmq.CONTENDERS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, in tasks a second; `cpu` is the worker's CPU seconds for a task."""

    sent: float
    sent_many: float | None
    drained: float
    cpu: float
    twice: int


def compete(contender: Contender, count: int) -> Outcome:
    """Send `count` tasks to a fresh broker, drain them, and see that each was run.

    Raises:
        RuntimeError: Some never ran.
    """
    with TemporaryDirectory() as folder, _broker(contender, Path(folder)) as url:
        notes = Path(folder) / "notes"
        notes.touch()
        environment = _environment(BENCH_NOTES=str(notes), BENCH_BROKER=url, BENCH_QUEUE=on_rabbitmq.QUEUE)
        sent = _send(contender, "one_by_one", count, environment)
        many = _send(contender, "many", count, environment) if contender.bulk else None
        total = (count + 1) * (2 if contender.bulk else 1)
        drained, cpu = _drain(contender, total, notes, environment)
        noted = notes.read_bytes().split()
    if len(set(noted)) < count:
        raise RuntimeError(f"{contender.title} ran only {len(set(noted))} of {count} tasks")
    return Outcome(count / sent, many and count / many, drained, cpu / total, len(noted) - total)


@contextmanager
def _broker(contender: Contender, folder: Path) -> Iterator[str]:
    if contender.broker == "sqlite":
        yield contender.url.format(folder / "queue.db")
    elif contender.broker.startswith("rabbitmq"):
        with on_rabbitmq.emptied() as server:
            yield contender.url.format(server)
    else:
        with servers.cloudq() as server:
            yield contender.url.format(f"http://{server.host}")


def _environment(**settings: str) -> Mapping[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251 - to pass on
    credentials = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    return {**inherited, **credentials, "PYTHONPATH": ".", **settings}


def _send(contender: Contender, how: str, count: int, environment: Mapping[str, str]) -> float:
    command = [
        str(contender.bin / "python"),
        "-m",
        "benchmarks.tasks.sender",
        contender.module,
        how,
        str(count),
    ]
    done = subprocess.run(command, env=dict(environment), check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["seconds"]


def _drain(
    contender: Contender, total: int, notes: Path, environment: Mapping[str, str]
) -> tuple[float, float]:
    """Tasks a second from the first to the last execution, and the worker's CPU seconds."""
    before = _children_cpu()
    command = [str(contender.bin / contender.command[0]), *contender.command[1:]]
    worker = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        rate = _watch(contender, total, notes, worker)
    finally:
        worker.terminate()
        worker.wait(60)
    return rate, _children_cpu() - before


def _watch(contender: Contender, total: int, notes: Path, worker: subprocess.Popen[bytes]) -> float:
    clock, first, count = SystemClock(), 0, 0
    began = changed = perf_counter()
    while count < total:
        if worker.poll() is not None or perf_counter() - changed > _PATIENCE:
            raise RuntimeError(f"{contender.title} stopped after {count} of {total} tasks")
        clock.sleep(_POLL)
        seen = notes.stat().st_size // LINE_BYTES
        if seen > count:
            changed = perf_counter()
            if not count:
                began, first = changed, seen
            count = seen
    return (total - first) / (changed - began)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
