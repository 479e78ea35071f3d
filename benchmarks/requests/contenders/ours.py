"""cloudq, with its defaults and without results."""

from __future__ import annotations

from benchmarks.requests.contenders.work import from_threads, work
from cloudq import App

app = App("bench", broker="sqs://us-east-1")


@app.task
def task(number: int, seconds: float) -> None:
    """Work."""
    work(number, seconds)


def send(count: int, seconds: float) -> None:
    """With one call."""
    task.delay_many([(number, seconds) for number in range(count)])


def send_one_by_one(count: int, seconds: float) -> None:
    """With one call each."""
    from_threads(lambda number: task.delay(number, seconds), count)
