"""Celery on SQS: acknowledging after the run, no results, prefetching whole batches."""

from __future__ import annotations

from celery import Celery  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders.work import BROKER, note

app = Celery("bench", broker=BROKER.replace("http://", "sqs://test:test@"))
app.conf.update(
    broker_transport_options={"region": "us-east-1", "wait_time_seconds": 20, "polling_interval": 0},
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=10,
    broker_connection_retry_on_startup=True,
)


@app.task
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop.delay(number)
