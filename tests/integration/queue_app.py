"""An app with several queues, for the tests of which one a worker takes from."""

from __future__ import annotations

import os
from pathlib import Path

import cloudq

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
