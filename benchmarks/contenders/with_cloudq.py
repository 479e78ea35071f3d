"""cloudq, with its defaults and without results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.contenders.work import ADDRESS, BROKER, QUEUE, VARIANT, nap, noop, stamp
from cloudq import App

_URLS = {
    "sqlite": f"sqlite:///{ADDRESS}?synchronous={VARIANT}",
    "sqs": f"sqs://us-east-1?endpoint={ADDRESS}",
    "redis": ADDRESS,
    "rabbitmq": f"{ADDRESS}?queue_type={VARIANT}",
}

app = App("bench", broker=_URLS[BROKER], task_default_queue=QUEUE)
_tasks = {function.__name__: app.task(function) for function in (noop, stamp, nap)}

CALLS = {name: task.delay for name, task in _tasks.items()}


def many(task: str, calls: Sequence[tuple[Any, ...]]) -> None:
    """Send with one call."""
    _tasks[task].delay_many(calls)
