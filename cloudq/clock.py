"""Time: the only module that reads it.

Code that waits or stamps takes a `Clock`; tests hand it a `FakeClock` and move it.
"""

from __future__ import annotations

import struct
import threading
import time
from pathlib import Path
from typing import Protocol

__all__ = ["Clock", "FakeClock", "FollowingClock", "SystemClock", "clock_of"]


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

    def real(self, seconds: float) -> float:
        """How long a system call may wait in place of `seconds` of this clock, which can't wake it."""
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

    def real(self, seconds: float) -> float:
        return seconds


class FollowingClock:
    """An emulator's clock, wherever that is moved to. Its course is in a file that both map into memory.

    The file has, as `LAYOUT`: the number of moves so far; the time and the monotonic reading at the latest;
    the machine's monotonic reading then; how many seconds pass for each real one, 0 while it stands still;
    and the number of moves again. A reading costs no request, survives a fork and needs no thread. Who waits
    looks every `GLANCE` seconds.

    Args:
        path: The file.

    Raises:
        OSError: There is no such file.
    """

    LAYOUT = struct.Struct("<QddddQ")
    GLANCE = 0.01

    def __init__(self, path: Path) -> None:
        import mmap  # programs that follow nobody needn't load it

        with path.open("rb") as file:
            self._state = mmap.mmap(file.fileno(), self.LAYOUT.size, access=mmap.ACCESS_READ)

    def now(self) -> float:
        now, _, passed = self._course()
        return now + passed

    def monotonic(self) -> float:
        _, monotonic, passed = self._course()
        return monotonic + passed

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        if until is None:
            condition.wait()
            return
        left = until - self.monotonic()
        if left > 0:
            condition.wait(self.real(left))

    def sleep(self, seconds: float) -> None:
        until = self.monotonic() + seconds
        while (left := until - self.monotonic()) > 0:
            time.sleep(self.real(left))

    def real(self, seconds: float) -> float:
        return min(seconds, self.GLANCE)

    def _course(self) -> tuple[float, float, float]:
        while True:
            moves, now, monotonic, real, pace, same = self.LAYOUT.unpack(self._state[:])
            # Race: a move may be written while it is read; its number is written first and last.
            if moves == same:
                return now, monotonic, (time.monotonic() - real) * pace


def clock_of(path: str | None) -> Clock:
    """The clock that the file at `path` stands for; the machine's own where there is none (any more)."""
    if path and Path(path).exists():
        return FollowingClock(Path(path))
    return SystemClock()


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

    def real(self, seconds: float) -> float:
        return seconds

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
