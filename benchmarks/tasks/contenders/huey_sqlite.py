"""Huey on SQLite with its defaults; it takes a task out of the queue before it runs it."""

from __future__ import annotations

from huey import SqliteHuey  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders.work import BROKER, note

huey = SqliteHuey("bench", filename=BROKER, results=False)


@huey.task()
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop(number)
