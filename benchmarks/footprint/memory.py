"""What a worker with two processes holds in memory, when it starts and after many tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import brokers
from benchmarks.processes import proportional_bytes, resident_bytes
from benchmarks.task_queues import TaskQueue
from benchmarks.workers import Setting, Worker
from cloudq.clock import SystemClock

_PROCESSES: Final = 2
_FIRST: Final = 20
"""Tasks by which a worker shows that it has started."""

_REST: Final = 2.0
"""Seconds after the last task until memory is read: what was run is settled by then."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of all of a worker's processes together.

    Args:
        title: Whose.
        processes: How many there are.
        idle: When it has started: PSS, what they share counted once.
        after: RSS after so many tasks, for each of the counts asked for.
    """

    title: str
    processes: int
    idle: int
    after: Sequence[int]


def measure(queue: TaskQueue, counts: Sequence[int]) -> Memory:
    """Run a worker on Redis.

    Args:
        queue: Whose.
        counts: After how many tasks memory is read, in rising order.

    Raises:
        StalledError: It ended or ran nothing for long.
    """
    with TemporaryDirectory() as folder, brokers.empty("redis", Path(folder)) as url:
        notes = Path(folder) / "notes"
        notes.touch()
        setting = Setting(queue, "redis", url, notes)
        setting.send("one_by_one", "noop", _FIRST - 1)
        with setting.worker(queue.processes, _PROCESSES, queue.starts) as worker:
            _run(worker, _FIRST)
            pids = worker.family
            idle = sum(map(proportional_bytes, pids))
            after, sent = list[int](), _FIRST
            for count in counts:
                setting.send("many", "noop", count - sent - 1)
                sent = count
                _run(worker, sent)
                after.append(sum(map(resident_bytes, pids)))
    return Memory(queue.title, len(pids), idle, after)


def _run(worker: Worker, total: int) -> None:
    worker.watch(total)
    SystemClock().sleep(_REST)
