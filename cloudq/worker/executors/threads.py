"""Several messages at once, in as many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cloudq.worker.executors import Job
from cloudq.worker.executors.solo import run_solo

__all__ = ["ThreadExecutor"]


class ThreadExecutor:
    """Runs jobs in threads.

    Args:
        count: How many threads.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __call__(self, take: Callable[[], Job | None], run: Callable[[Job], Any]) -> None:
        threads = [
            # Daemons: a task that never ends must not keep the process when its supervisor is gone.
            threading.Thread(target=run_solo, args=(take, run), name=f"cloudq-task-{number}", daemon=True)
            for number in range(self._count)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
