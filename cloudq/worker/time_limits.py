"""Hard time limits: when to look at what runs, and what has run too long. Pure: time is a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Limited", "TimeLimits"]

_LONGEST = 1.0
"""Seconds between two looks at most: a task that was registered in a child alone may have a shorter limit
than any that is known."""


class Limited(NamedTuple):
    """A run that has a time limit.

    Args:
        tag: What runs.
        kill_at: When it is to be killed, on the monotonic clock.
        seconds: Its limit.
    """

    tag: int
    kill_at: float
    seconds: float


class TimeLimits:
    """Finds runs that have outlived their limit, on time and with few looks.

    Children write down when a run's time is over and tell nobody. That is seen soon enough: what begins after
    a look isn't over before the shortest limit has passed.

    Args:
        limits: The limits of the tasks that are known to have one, in seconds.
    """

    def __init__(self, limits: Iterable[float]) -> None:
        self._pause = min((*limits, _LONGEST))
        self.next_at = float("-inf")
        """When to look again, if anything runs."""

    def over(self, runs: Iterable[Limited], now: float) -> list[Limited]:
        """Those whose time is over."""
        over: list[Limited] = []
        self.next_at = now + self._pause
        for run in runs:
            if run.kill_at <= now:
                over.append(run)
            else:
                self.next_at = min(self.next_at, run.kill_at)
        return over
