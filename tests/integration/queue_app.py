"""An app with several queues, for the tests of which one a worker takes from."""

from __future__ import annotations

from pathlib import Path

import cloudq

app = cloudq.App("trial", queues=[cloudq.Queue("levels", priorities=3)])


def leave(path: str, line: object) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@app.task(queue="levels")
def mark_level(path: str, level: int) -> None:
    leave(path, level)


@app.task(queue="first")
def mark_first(path: str) -> None:
    leave(path, "first")


@app.task(queue="second")
def mark_second(path: str) -> None:
    leave(path, "second")
