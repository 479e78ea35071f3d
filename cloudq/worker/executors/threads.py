"""Several messages at once, in as many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from cloudq.worker.executors import Job
from cloudq.worker.executors.solo import run_solo

__all__ = ["run_threads"]


def run_threads(take: Callable[[], Job | None], run: Callable[[Job], Any], slots: int) -> None:
    """Run jobs in `slots` threads."""
    threads = [
        # Daemons: a task that never ends must not keep the process when its supervisor is gone.
        threading.Thread(target=run_solo, args=(take, run, 1), name=f"cloudq-task-{number}", daemon=True)
        for number in range(slots)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
