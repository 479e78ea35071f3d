"""The tasks of a chaos run. Each run leaves one line in the folder `CLOUDQ_TEST_CHAOS`, when it ends.

A line is `kind number end attempt pid`; `end` is D for done and F for failed. One write call a line, so that
lines of processes that are killed are whole or absent.
"""

from __future__ import annotations

import functools
import os
import time
from pathlib import Path

import cloudq
from cloudq.tasks import BoundTask

app = cloudq.App(
    "chaos",
    queues=[cloudq.Queue("default", max_receives=1000), cloudq.Queue("line.fifo", max_receives=1000)],
)


@functools.cache
def runs() -> int:
    path = Path(os.environ["CLOUDQ_TEST_CHAOS"]) / "runs"
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def leave(kind: str, number: object, end: str, attempt: int) -> None:
    os.write(runs(), f"{kind} {number} {end} {attempt} {os.getpid()}\n".encode())


@app.task(bind=True, retries=1000, backoff=0.1)
def quick(self: BoundTask, number: int) -> None:
    leave("quick", number, "D", self.request.retries)


@app.task(bind=True, retries=1000, backoff=0.1)
def slow(self: BoundTask, number: int) -> None:
    time.sleep(0.05)
    leave("slow", number, "D", self.request.retries)


@app.task(bind=True, retries=1000, backoff=0.1)
def flaky(self: BoundTask, number: int) -> None:
    """Fails once, or as long as the count of failures says that it hasn't yet."""
    fails = self.request.retries == 0
    leave("flaky", number, "F" if fails else "D", self.request.retries)
    if fails:
        raise ConnectionError("the first time")


@app.task(bind=True, queue="line.fifo", retries=1000, backoff=0.1)
def in_line(self: BoundTask, group: int, place: int) -> None:
    leave("in_line", f"{group}/{place}", "D", self.request.retries)
