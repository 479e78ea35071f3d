"""Who takes part on Redis, and the server: one of each run's own, which writes nothing to disk."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.tasks.contender import MODULES, OUR_WORKER, OURS, Contender
from cloudq.clock import SystemClock

__all__ = ["BROKER", "CONTENDERS", "server"]

BROKER: Final = "redis"

_START: Final = 30.0
"""Seconds that the server is given to come up."""

_TASKIQ: Final = (
    "taskiq", "worker", f"{MODULES}.taskiq_on_redis:broker", "--ack-type", "when_executed",
)  # fmt: skip

CONTENDERS: Final = (
    Contender(
        "cloudq", "ours", BROKER, OUR_WORKER, OURS, bulk=True,
        napping=("cloudq", "worker", "-A", f"{MODULES}.ours:app", "--pool", "thread", "-c", "50",
                 "-l", "warning"),
    ),
    Contender(
        "taskiq", "taskiq_on_redis", BROKER, (*_TASKIQ, "-w", "2"), bulk=True,
        napping=(*_TASKIQ, "-w", "1", "--max-async-tasks", "50"),
    ),
    Contender(
        "dramatiq", "dramatiq_on_redis", BROKER, ("dramatiq", f"{MODULES}.dramatiq_on_redis", "-p", "2"),
        napping=("dramatiq", f"{MODULES}.dramatiq_on_redis", "-p", "1", "-t", "50"),
    ),
    Contender(
        "Celery", "celery_on_redis", BROKER,
        ("celery", "-A", f"{MODULES}.celery_on_redis", "worker", "-c", "2", "-l", "warning",
         "--without-gossip", "--without-mingle"),
        napping=("celery", "-A", f"{MODULES}.celery_on_redis", "worker", "-P", "threads", "-c", "50",
                 "-l", "warning", "--without-gossip", "--without-mingle"),
    ),
    Contender(
        "Huey, popping first", "huey_on_redis", BROKER,
        ("huey_consumer", f"{MODULES}.huey_on_redis.huey", "-k", "process", "-w", "2", "-q"),
        napping=("huey_consumer", f"{MODULES}.huey_on_redis.huey", "-k", "thread", "-w", "50", "-q"),
    ),
    Contender(
        "RQ", "rq_on_redis", BROKER,
        ("rq", "worker-pool", "-n", "2", "-q", "-u", "{}", "-w", "rq.worker.SimpleWorker"), bulk=True,
    ),
    Contender(
        "arq, one process", "arq_on_redis", BROKER, ("arq", f"{MODULES}.arq_on_redis.WorkerSettings"),
        bulk=True,
        napping=("arq", f"{MODULES}.arq_on_redis.NappingSettings"),
    ),
)  # fmt: skip


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server that is empty; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    options = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "save": "", "appendonly": "no"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + _START
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(100):
                    return
        except OSError:
            if clock.monotonic() > deadline:
                raise
            clock.sleep(0.01)
