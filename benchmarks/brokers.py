"""Brokers with nothing in them, for task queues to be put to work on."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pika

from benchmarks.emulator import servers
from benchmarks.workers import QUEUE
from cloudq.clock import SystemClock

_environment: Final = os.environ  # noqa: TID251 - as tests do
_RABBITMQ: Final = _environment.get("CLOUDQ_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/")
_START: Final = 30.0
"""Seconds that a server is given to come up."""


@contextmanager
def empty(broker: str, folder: Path) -> Iterator[str]:
    """A broker's address: a file, an endpoint or a URL.

    Args:
        broker: ``sqlite``, ``sqs`` (`cloudq emulate`), ``redis`` (a server started for this, which writes
            nothing to disk) or ``rabbitmq`` (the one that runs; what contenders make there is gone before and
            afterwards).
        folder: Where it may keep files.
    """
    if broker == "sqlite":
        yield str(folder / "queue.db")
    elif broker == "sqs":
        with servers.cloudq() as server:
            yield f"http://{server.host}"
    elif broker == "redis":
        with _redis(folder) as url:
            yield url
    else:
        _clear_rabbitmq()
        try:
            yield _RABBITMQ
        finally:
            _clear_rabbitmq()


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
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


def _clear_rabbitmq() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(_RABBITMQ))
    channel = connection.channel()
    for suffix in ("", "-dead", ".DQ", ".XQ"):
        channel.queue_delete(f"{QUEUE}{suffix}")
    for level in range(28):
        channel.queue_delete(f"celery_delayed_{level}")  # Celery's, which a server hardly has room for
    channel.exchange_delete(QUEUE)  # taskiq's
    connection.close()
