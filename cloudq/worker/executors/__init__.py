"""How a child runs what it is given. An executor takes jobs until there are no more and runs each one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["Executor", "Job"]

Job = tuple[int, str, bytes, int, int]
"""Tag, queue, body, receive count, and the queue's `max_receives`."""


class Executor(Protocol):
    """Runs jobs in a child."""

    def __call__(self, take: Callable[[], Job | None], run: Callable[[Job], Any], slots: int) -> None:
        """Take jobs and run them, up to `slots` at once, until `take` gives None."""
        ...
