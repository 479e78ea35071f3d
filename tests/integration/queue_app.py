"""An app with several queues, for the tests of which one a worker takes from."""

from __future__ import annotations

import os
import time
from pathlib import Path

import cloudq
from cloudq.tasks import BoundTask

LEVELS = os.environ.get("TRIAL_LEVELS", "levels")
FIRST, SECOND = f"{LEVELS}-first", f"{LEVELS}-second"

app = cloudq.App("trial", queues=[cloudq.Queue(LEVELS, priorities=3)])


def leave(path: str, line: object) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@app.task(queue=LEVELS)
def mark_level(path: str, level: int) -> None:
    leave(path, level)


@app.task(queue=FIRST)
def mark_first(path: str) -> None:
    leave(path, "first")


@app.task(queue=SECOND)
def mark_second(path: str) -> None:
    leave(path, "second")


@app.task(queue=FIRST)
def hold_first(path: str) -> None:
    """Runs until a file is there."""
    leave(path, "holding")
    while not Path(f"{path}.go").exists():
        time.sleep(0.01)


@app.task(queue=FIRST, bind=True)
def count_first(self: BoundTask, path: str) -> None:
    leave(path, f"attempt {self.request.retries + 1}")
