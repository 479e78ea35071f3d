"""Several messages at once, in as many threads."""

from __future__ import annotations

import threading

from cloudq.worker.executors import Runner
from cloudq.worker.executors.solo import run_solo

__all__ = ["run_threads"]


def run_threads(runner: Runner) -> None:
    """Run jobs in as many threads as there are slots."""
    threads = [
        # Daemons: a task that never ends must not keep the process when its supervisor is gone.
        threading.Thread(target=run_solo, args=(runner,), name=f"cloudq-task-{number}", daemon=True)
        for number in range(runner.slots)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
