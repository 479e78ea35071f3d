"""One message at a time, in the child's main thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudq.worker.executors import Job

__all__ = ["run_solo"]


def run_solo(take: Callable[[], Job | None], run: Callable[[Job], Any], slots: int) -> None:
    """Run jobs one after the other."""
    del slots  # one
    while (job := take()) is not None:
        run(job)
