"""Celery on SQS: acknowledging after the run, no results, prefetching whole batches."""

from __future__ import annotations

from celery import Celery  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.requests.contenders.work import ENDPOINT, from_threads, work

app = Celery("bench", broker=ENDPOINT.replace("http://", "sqs://test:test@"))
app.conf.update(
    broker_transport_options={"region": "us-east-1", "wait_time_seconds": 20, "polling_interval": 0},
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=10,
    broker_connection_retry_on_startup=True,
)


@app.task
def task(number: int, seconds: float) -> None:
    """Work."""
    work(number, seconds)


def send(count: int, seconds: float) -> None:
    """It knows no batches."""
    for number in range(count):
        task.delay(number, seconds)


def send_one_by_one(count: int, seconds: float) -> None:
    """With one call each."""
    from_threads(lambda number: task.delay(number, seconds), count)
