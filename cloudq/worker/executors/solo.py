"""One message at a time, in the child's main thread."""

from __future__ import annotations

from cloudq.worker.executors import Runner

__all__ = ["run_solo"]


def run_solo(runner: Runner) -> None:
    """Run jobs one after the other."""
    while (job := runner.take()) is not None:
        runner.run(job)
