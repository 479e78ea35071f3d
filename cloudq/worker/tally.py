"""What a worker does and has done, as numbers. Pure; times are readings of one monotonic clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

__all__ = ["Pace", "Tally"]

PACE_WINDOW = 5.0
"""Seconds over which a pace is measured: long enough to stand still, short enough to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A worker's numbers at one moment.

    Args:
        at: The moment.
        began_at: When the worker began.
        slots: Messages that its children run at once.
        running: Messages that run.
        prefetched: Messages that are held and haven't begun.
        unsettled: Messages that have ended, and whose lease hasn't yet.
        done: Messages that were done with since the worker began; those that failed aren't among them.
        retried: Failures that are tried again.
        dead: Messages that were given up on.
        paused: Which of its queues are paused.
        stop_at: When what runs is ended; None while it isn't told to stop.
    """

    at: float
    began_at: float
    slots: int
    running: int
    prefetched: int
    unsettled: int
    done: int
    retried: int
    dead: int
    paused: frozenset[str] = frozenset()
    stop_at: float | None = None


class Pace:
    """How many messages a second a worker is done with, by its latest tallies."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def after(self, tally: Tally) -> float:
        """Messages done with a second, as of this tally; 0 as of the first."""
        seen = self._seen
        seen.append((tally.at, tally.done))
        # One reading that is older than the window stays, so that all of the window is looked at.
        while len(seen) > 1 and seen[1][0] <= tally.at - PACE_WINDOW:
            seen.popleft()
        since, before = seen[0]
        return (tally.done - before) / (tally.at - since) if tally.at > since else 0.0
