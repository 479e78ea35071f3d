"""Huey on SQLite, which takes a task out of the queue before it runs it; its address may turn fsync off."""

from __future__ import annotations

from huey import SqliteHuey  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders.work import BROKER, note

_filename, _, _option = BROKER.partition("?")
huey = SqliteHuey("bench", filename=_filename, fsync=False if _option == "fsync=off" else None, results=False)


@huey.task()
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop(number)
