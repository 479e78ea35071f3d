"""Celery: acknowledging after the run, no results, prefetching as its guide to short tasks says.

Source: Celery's user guide, Optimizing, "Prefetch Limits" (a large multiplier, "64, or 128 for example", for
many short tasks), read 2026-11.
"""

from __future__ import annotations

from typing import Any

from celery import Celery  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.contenders.work import ADDRESS, BROKER, QUEUE, VARIANT, nap, noop, stamp

_SETTINGS: dict[str, dict[str, Any]] = {
    "redis": {},
    "rabbitmq": {"task_default_queue_type": VARIANT, "worker_detect_quorum_queues": True},
    "sqs": {
        "broker_transport_options": {
            "region": "us-east-1",
            "wait_time_seconds": 20,
            "polling_interval": 0,
        },
    },
}

app = Celery("bench", broker=ADDRESS.replace("http://", "sqs://test:test@"))
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    **_SETTINGS[BROKER],
)

CALLS = {function.__name__: app.task(function).delay for function in (noop, stamp, nap)}
