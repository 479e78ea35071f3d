"""One contender's run: so many tasks sent, then drained by a worker with two children."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from benchmarks.emulator import servers
from benchmarks.tasks import on_rabbitmq, on_redis
from benchmarks.tasks.contender import MODULES, OUR_WORKER, OURS, Contender
from benchmarks.tasks.contenders import LINE_BYTES, NAP
from cloudq.clock import SystemClock

_POLL: Final = 0.002
_MORE: Final = 2
"""How many times as many are sent with one call, on Redis, as one by one."""

_NAPS: Final = 1000
_PACED_FIRST, _PACED = 40, 400
_STOP: Final = 15.0
"""Seconds that a worker is given to stop; then it is killed, with its children."""

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
    *on_redis.CONTENDERS,
    *on_rabbitmq.CONTENDERS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, in tasks a second.

    Args:
        sent: One by one.
        sent_many: With one call, where it can.
        drained: By two children.
        cpu: The worker's CPU seconds for a task.
        twice: Tasks that were run more than once.
        ages: Microseconds from each call to its run, of tasks that come one by one to an idle worker.
        naps: Tasks that sleep, fifty at once.
    """

    sent: float
    sent_many: float | None
    drained: float
    cpu: float
    twice: int
    ages: Sequence[int] = ()
    naps: float | None = None


def compete(contender: Contender, count: int) -> Outcome:
    """Send `count` tasks to a fresh broker, drain them, and see that each was run.

    Raises:
        RuntimeError: Some never ran.
    """
    with TemporaryDirectory() as folder, _broker(contender, Path(folder)) as url:
        notes = Path(folder) / "notes"
        notes.touch()
        environment = _environment(BENCH_NOTES=str(notes), BENCH_BROKER=url, BENCH_QUEUE=on_rabbitmq.QUEUE)
        rest = count * _MORE if contender.broker == on_redis.BROKER else count
        sent = _send(contender, "one_by_one", count, environment)
        many = _send(contender, "many", rest, environment) if contender.bulk else None
        total = count + 1 + (rest + 1 if contender.bulk else 0)
        with _worker(contender, contender.command, environment) as worker:
            drained = _watch(contender, total, notes, worker)
        noted = notes.read_bytes().split()
        if len(set(noted)) < count:
            raise RuntimeError(f"{contender.title} ran only {len(set(noted))} of {count} tasks")
        outcome = Outcome(count / sent, many and rest / many, drained, worker.cpu / total, len(noted) - total)
        if contender.broker != on_redis.BROKER:
            return outcome
        ages = _ages(contender, notes, environment)
        naps = _naps(contender, notes, environment) if contender.napping else None
    return replace(outcome, ages=ages, naps=naps)


def _ages(contender: Contender, notes: Path, environment: Mapping[str, str]) -> list[int]:
    """How long each task took to its run."""
    notes.write_bytes(b"")
    with _worker(contender, contender.command, environment) as worker:
        _send(contender, "paced", _PACED_FIRST, environment)  # the worker starts meanwhile
        _watch(contender, _PACED_FIRST, notes, worker)
        _send(contender, "paced", _PACED, environment)
        _watch(contender, _PACED_FIRST + _PACED, notes, worker)
    return [int(age) for age in notes.read_bytes().split()[_PACED_FIRST:]]


def _naps(contender: Contender, notes: Path, environment: Mapping[str, str]) -> float:
    """Tasks a second."""
    notes.write_bytes(b"")
    _send(contender, "naps", _NAPS, environment)
    with _worker(contender, contender.napping, environment) as worker:
        return _watch(contender, _NAPS, notes, worker, nap=NAP)


@contextmanager
def _broker(contender: Contender, folder: Path) -> Iterator[str]:
    if contender.broker == "sqlite":
        yield contender.url.format(folder / "queue.db")
    elif contender.broker == on_redis.BROKER:
        with on_redis.server(folder) as url:
            yield url
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


@dataclass
class _Worker:
    """A contender's worker; its CPU seconds once it has ended."""

    process: subprocess.Popen[bytes]
    cpu: float = 0.0


@contextmanager
def _worker(
    contender: Contender, command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[_Worker]:
    before = _children_cpu()
    program, *words = command
    process = subprocess.Popen(
        [str(contender.bin / program), *(word.format(environment["BENCH_BROKER"]) for word in words)],
        env=dict(environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    worker = _Worker(process)
    try:
        yield worker
    finally:
        process.terminate()
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        worker.cpu = _children_cpu() - before


def _watch(contender: Contender, total: int, notes: Path, worker: _Worker, *, nap: float = 0.0) -> float:
    """Tasks a second from the first execution to the last; infinity where all were seen at once.

    Args:
        contender: Whose.
        total: How many to wait for.
        notes: Where they are noted.
        worker: Who runs them.
        nap: How long each one takes; the first ones began so much before they were noted.
    """
    clock, first, count = SystemClock(), 0, 0
    began = changed = perf_counter()
    while count < total:
        if worker.process.poll() is not None or perf_counter() - changed > _PATIENCE:
            raise RuntimeError(f"{contender.title} stopped after {count} of {total} tasks")
        clock.sleep(_POLL)
        seen = notes.stat().st_size // LINE_BYTES
        if seen > count:
            changed = perf_counter()
            if not count:
                began, first = changed - nap, 0 if nap else seen
            count = seen
    return (total - first) / (changed - began) if changed > began else math.inf


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
