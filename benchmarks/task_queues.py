"""The task queues that are held beside each other: their names, and what starts a worker of each."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PEERS: Final = Path(".venv-peers/bin").absolute()
_OURS: Final = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """A task queue.

    Commands may name ``{module}``, ``{n}``, which is how many tasks are run at once, ``{queue}``, and
    ``{address}``, the broker's.

    Args:
        title: What tables call it.
        name: Its module in `contenders` is ``with_`` and this.
        processes: What starts a worker with ``{n}`` processes that run one task each, or as it does it.
        in_one: What starts a worker that runs ``{n}`` tasks in one process; empty where there is none.
        bin: The environment it lives in.
        starts: How often `processes` is started, for one that knows no more than one process.
        has_many: Whether it can send many tasks with one call or gathered.
    """

    title: str
    name: str
    processes: str
    in_one: str = ""
    bin: Path = _PEERS
    starts: int = 1
    has_many: bool = False

    @property
    def module(self) -> str:
        """The module that a worker imports."""
        return f"benchmarks.contenders.with_{self.name}"


_CELERY: Final = (
    "celery -A {module} worker -c {n} -l warning --without-gossip --without-mingle --without-heartbeat"
)
_TASKIQ: Final = "taskiq worker {module}:broker --ack-type when_executed"

CLOUDQ: Final = TaskQueue(
    "cloudq",
    "cloudq",
    "cloudq worker -A {module}:app -c {n} -l warning",
    "cloudq worker -A {module}:app --pool thread -c {n} -l warning",
    _OURS,
    has_many=True,
)
CELERY: Final = TaskQueue("Celery", "celery", _CELERY, f"{_CELERY} -P threads")
DRAMATIQ: Final = TaskQueue(
    "dramatiq", "dramatiq", "dramatiq {module} -p {n}", "dramatiq {module} -p 1 -t {n}"
)
TASKIQ: Final = TaskQueue(
    "taskiq",
    "taskiq",
    f"{_TASKIQ} -w {{n}}",
    f"{_TASKIQ} -w 1 --max-async-tasks {{n}}",
    has_many=True,
)
HUEY: Final = TaskQueue(
    "Huey, popping first",
    "huey",
    "huey_consumer {module}.huey -k process -w {n} -q",
    "huey_consumer {module}.huey -k thread -w {n} -q",
)
RQ: Final = TaskQueue(
    "RQ",
    "rq",
    "rq worker-pool -n {n} -q -u {address} -w rq.worker.SimpleWorker {queue}",
    has_many=True,
)
ARQ: Final = TaskQueue(
    "arq", "arq", "arq {module}.WorkerSettings", "arq {module}.NappingSettings", starts=2, has_many=True
)

INSTALLED: Final = _PEERS.exists()
"""Whether the peers' environment is there."""
