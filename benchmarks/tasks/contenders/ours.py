"""cloudq, with its defaults and without results."""

from __future__ import annotations

import os

from benchmarks.tasks.contenders.work import BROKER, nap_and_note, note, note_age
from cloudq import App

app = App("bench", broker=BROKER, task_default_queue=os.environ["BENCH_QUEUE"])  # noqa: TID251 - as in `work`


@app.task
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


@app.task
def stamp(sent: int) -> None:
    """Tell how long it took to come here."""
    note_age(sent)


@app.task
def nap(number: int) -> None:
    """Wait."""
    nap_and_note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop.delay(number)


def many(count: int) -> None:
    """Send with one call."""
    noop.delay_many((number,) for number in range(count))


def send(task: str, value: int) -> None:
    """Send one."""
    {"stamp": stamp, "nap": nap}[task].delay(value)
