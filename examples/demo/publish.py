"""Sending the work: how the shop's own program would."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cloudq.results import AsyncResult
from cloudq.tasks import Task
from examples.demo.inputs import HERE_SIZE, Work, photos
from examples.demo.watching import Sent
from examples.shop import tasks


def publish(work: Iterable[Work]) -> Sent:
    """Send everything: in batches to the tasks' own queues, one by one where another queue is named."""
    batches: defaultdict[str, list[Work]] = defaultdict(list)
    sent: list[tuple[Work, AsyncResult[Any]]] = []
    for one in work:
        task = _task(one.task)
        if task.options.queue == one.queue:
            batches[one.task].append(one)
        else:
            sent.append((one, task.apply_async(one.args, queue=one.queue)))
    for name, batch in batches.items():
        results = _task(name).delay_many([one.args for one in batch])
        sent += zip(batch, results, strict=True)
    return sent


def call_here() -> Path:
    """Run a task as what it also is, a function, in this very process."""
    return Path(tasks.thumbnail(str(photos()[0]), HERE_SIZE)["file"])


def _task(name: str) -> Task[..., Any]:
    return getattr(tasks, name)
