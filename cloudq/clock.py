"""Time: the only module that reads it.

Code that waits or stamps takes a `Clock`; tests hand it a `FakeClock` and move it.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "FakeClock", "SystemClock"]


class Clock(Protocol):
    """What everything that depends on time asks."""

    def now(self) -> float:
        """Seconds since the epoch (UTC). It may jump: never subtract two readings."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that only goes forward, for measuring durations."""
        ...

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """Wait on a held condition until it is notified or `monotonic` reads `until` (None: for ever).

        It may return early; look at the time and the state again.
        """
        ...

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds` of this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        condition.wait(None if until is None else max(0.0, until - time.monotonic()))

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class FakeClock:
    """A clock that stands still until `advance` moves it.

    Args:
        now: What `now` says at first, in seconds since the epoch.
    """

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 0.0
        self._tick = threading.Condition()
        self._waiting: list[threading.Condition] = []

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        with self._tick:
            if until is not None and self._monotonic >= until:
                return
            self._waiting.append(condition)
        try:
            condition.wait()
        finally:
            with self._tick:
                self._waiting.remove(condition)

    def sleep(self, seconds: float) -> None:
        with self._tick:
            until = self._monotonic + seconds
            while self._monotonic < until:
                self._tick.wait()

    def advance(self, seconds: float) -> None:
        """Move both readings forward and wake whoever waits on this clock."""
        with self._tick:
            self._now += seconds
            self._monotonic += seconds
            self._tick.notify_all()
            waiting = list(self._waiting)
        for condition in waiting:
            with condition:
                condition.notify_all()
