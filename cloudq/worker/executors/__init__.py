"""How a child runs what it is given. An executor takes jobs until there are no more and runs each one.

| module | how |
|---|---|
| `solo` | one at a time, in the main thread |
| `threads` | several at once, in threads |
| `loop` | several at once, in an event loop |
| `greenlets` | several at once, in greenlets |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Executor", "Job", "Runner"]

Job = tuple[int, str, bytes, int, int]
"""Tag, queue, body, receive count, and the queue's `max_receives`."""


class Runner(Protocol):
    """What an executor drives: a child's jobs, and how one is run and told of."""

    @property
    def slots(self) -> int:
        """How many may run at once."""
        ...

    def take(self) -> Job | None:
        """The next job, once there is one; None when there are no more."""
        ...

    def take_ready(self) -> Job | None:
        """The next job, if there is one already: never waits."""
        ...

    def run(self, job: Job) -> None:
        """Run it in this thread."""
        ...

    async def run_async(self, job: Job) -> None:
        """Run it in this thread's event loop."""
        ...


Executor = Callable[[Runner], None]
"""Takes jobs and runs them, up to `slots` at once, until there are no more."""
