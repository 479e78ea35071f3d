"""Huey on Redis, which takes a task out of the queue before it runs it."""

from __future__ import annotations

from huey import RedisHuey  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders.work import BROKER, nap_and_note, note, note_age

huey = RedisHuey("bench", url=BROKER, results=False)


@huey.task()
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


@huey.task()
def stamp(sent: int) -> None:
    """Tell how long it took to come here."""
    note_age(sent)


@huey.task()
def nap(number: int) -> None:
    """Wait."""
    nap_and_note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop(number)


def send(task: str, value: int) -> None:
    """Send one."""
    {"stamp": stamp, "nap": nap}[task](value)
