"""cloudq, with its defaults and without results."""

from __future__ import annotations

import os

from benchmarks.tasks.contenders.work import BROKER, note
from cloudq import App

app = App("bench", broker=BROKER, task_default_queue=os.environ["BENCH_QUEUE"])  # noqa: TID251 - as in `work`


@app.task
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop.delay(number)


def many(count: int) -> None:
    """Send with one call."""
    noop.delay_many((number,) for number in range(count))
