"""Celery on RabbitMQ: acknowledging after the run, no results; by default it waits for no confirms."""

from __future__ import annotations

import os

from celery import Celery  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders.work import BROKER, note

_address, _, _option = BROKER.partition("?")

app = Celery("bench", broker=_address)
app.conf.update(
    task_default_queue=os.environ["BENCH_QUEUE"],  # noqa: TID251 - peers have no cloudq.config
    task_default_queue_type=_option.partition("=")[2],
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=50,
    worker_detect_quorum_queues=True,
    broker_connection_retry_on_startup=True,
    worker_enable_remote_control=False,
)


@app.task
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop.delay(number)
