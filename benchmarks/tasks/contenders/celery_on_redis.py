"""Celery on Redis: acknowledging after the run, no results, prefetching ten for each child."""

from __future__ import annotations

from celery import Celery  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders.work import BROKER, nap_and_note, note, note_age

app = Celery("bench", broker=BROKER)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=10,
    broker_connection_retry_on_startup=True,
)


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


def send(task: str, value: int) -> None:
    """Send one."""
    {"stamp": stamp, "nap": nap}[task].delay(value)
