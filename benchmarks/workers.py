"""Senders and workers of task queues, each in processes of their own, and what they note of what they run."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.processes import family
from benchmarks.task_queues import TaskQueue
from cloudq.clock import SystemClock

QUEUE: Final = "cloudq-bench"

_LINE_BYTES: Final = 8
"""What one execution adds to the notes."""

_POLL: Final = 0.002
_STOP: Final = 5.0
"""Seconds that a worker is given to stop; then it is killed with its children, as taskiq's has to be."""

_PATIENCE: Final = 120.0
"""Seconds without any execution after which a run is given up."""


class StalledError(Exception):
    """A worker ended, or ran nothing for long."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a task queue is put to work.

    Args:
        queue: Which.
        broker: ``sqlite``, ``sqs``, ``redis`` or ``rabbitmq``.
        address: The broker's file, endpoint or URL.
        notes: The file in which executions are noted.
        variant: How the broker is used, where there are several ways.
    """

    queue: TaskQueue
    broker: str
    address: str
    notes: Path
    variant: str = ""

    def send(self, how: str, task: str, count: int, *arguments: float) -> float:
        """Send tasks, as `benchmarks.contenders.sender` says.

        Returns:
            Seconds that it took.
        """
        words = [f"with_{self.queue.name}", how, task, str(count), *map(str, arguments)]
        done = subprocess.run(
            [str(self.queue.bin / "python"), "-m", "benchmarks.contenders.sender", *words],
            env=self._environment(),
            check=True,
            stdout=subprocess.PIPE,
        )
        return json.loads(done.stdout)["seconds"]

    @contextmanager
    def worker(self, command: str, at_once: int, starts: int = 1) -> Iterator[Worker]:
        """Run a worker.

        Args:
            command: One of its queue's.
            at_once: How many tasks it runs at once.
            starts: How often the command is started.
        """
        address, module = self.address, self.queue.module
        words = command.format(module=module, n=at_once, address=address, queue=QUEUE).split()
        processes = [self._start(words) for _ in range(starts)]
        try:
            yield Worker(processes, self.notes)
        finally:
            _stop(processes)

    def _start(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(self.queue.bin / words[0]), *words[1:]],
            env=self._environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"],  # noqa: TID251 - to pass on
            "HOME": str(self.notes.parent),
            "PYTHONPATH": ".",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "BENCH_BROKER": self.broker,
            "BENCH_ADDRESS": self.address,
            "BENCH_VARIANT": self.variant,
            "BENCH_QUEUE": QUEUE,
            "BENCH_NOTES": str(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that runs.

    Args:
        processes: What was started.
        notes: Where executions are noted.
    """

    processes: Sequence[subprocess.Popen[bytes]]
    notes: Path

    @property
    def family(self) -> Sequence[int]:
        """The processes that it consists of now."""
        return [pid for process in self.processes for pid in family(process.pid)]

    @property
    def noted(self) -> int:
        """How many executions are noted."""
        return self.notes.stat().st_size // _LINE_BYTES

    def watch(self, total: int, nap: float = 0.0) -> float:
        """Wait until `total` executions are noted.

        Args:
            total: How many to wait for.
            nap: Seconds that each one takes; the first ones began so much before they were noted.

        Returns:
            Tasks a second from the first one seen to the last; infinity where all were seen at once.

        Raises:
            StalledError: It ended or ran nothing for long.
        """
        clock, first, count = SystemClock(), 0, 0
        began = changed = perf_counter()
        while count < total:
            if perf_counter() - changed > _PATIENCE or any(one.poll() is not None for one in self.processes):
                raise StalledError(f"stopped after {count:,} of {total:,} tasks")
            clock.sleep(_POLL)
            seen = self.noted
            if seen > count:
                changed = perf_counter()
                if not count:
                    began, first = changed - nap, 0 if nap else seen
                count = seen
        return (total - first) / (changed - began) if changed > began else math.inf


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
