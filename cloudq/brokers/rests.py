"""Queues that can't be received from rest for a while, each for itself, so that others go on. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cloudq.retry import Backoff

__all__ = ["Rests"]


class Rests:
    """Which queues rest, and how long. Times are readings of one monotonic clock.

    Args:
        backoff: How long they rest after so many failures in a row.
    """

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def worth_asking(self, queues: Sequence[str], now: float) -> list[str]:
        """Those that don't rest; all, where all of them do, since whoever asks then has pauses of its own."""
        return [queue for queue in queues if now >= self._until.get(queue, now)] or list(queues)

    def failed(self, queue: str, now: float) -> float:
        """Let it rest, longer each time; for how many seconds."""
        self._failures[queue] = self._failures.get(queue, 0) + 1
        pause = self._backoff.delay(self._failures[queue])
        self._until[queue] = now + pause
        return pause

    def answered(self, queue: str) -> bool:
        """It is well; whether it wasn't before."""
        self._until.pop(queue, None)
        return self._failures.pop(queue, None) is not None
