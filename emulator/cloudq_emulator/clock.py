"""The emulator's clock: real time, until somebody moves, freezes or scales it.

Delays, leases, retention, deduplication and the timestamps in answers follow it. Sockets, HTTP dates and
Lambda's own time limits stay real.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_EARLIEST, _LATEST = 0.0, 221_845_392_000.0
"""1970 and 9000: between them every service can write a time down."""
_FASTEST: Final = 1_000_000.0
"""Seconds for each real one, at most; from now to the latest takes days even so."""

__all__ = ["Course", "MovableClock", "real_now", "real_seconds"]


def real_now() -> float:
    """Seconds since the epoch on the machine's own clock, for what must stay real."""
    return time.time()


def real_seconds() -> float:
    """A reading that only goes forward, for measuring how long something really took."""
    return time.monotonic()


class Course(NamedTuple):
    """How a moved clock ran: what it read at a real time, whether it stood still, how fast it ran."""

    now: float
    real: float
    frozen: bool
    scale: float


class MovableClock:
    """A `cloudq.clock.Clock` that can be advanced, set, frozen and scaled while the emulator runs.

    Moved from one thread at a time (the event loop's); read from any.
    """

    def __init__(self) -> None:
        self.frozen = False
        self.scale = 1.0
        self.is_real = True
        """Whether nobody has moved it."""
        self._moved = threading.Condition()
        self._watchers: list[Callable[[], None]] = []
        self._rebase(now=time.time(), monotonic=0.0)

    def now(self) -> float:
        """Seconds since the epoch, as this clock has it."""
        if self.frozen:
            return self._now
        return self._now + (time.monotonic() - self._real) * self.scale

    def monotonic(self) -> float:
        """This clock's seconds since it was made; setting it back doesn't turn them back."""
        if self.frozen:
            return self._monotonic
        return self._monotonic + (time.monotonic() - self._real) * self.scale

    def advance(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass at once."""
        if seconds < 0:
            raise ValueError("advance must be >= 0 seconds; use set to go back")
        self._move(now=self.now() + seconds, monotonic=self.monotonic() + seconds)

    def set(self, now: float) -> None:
        """Make it `now`, in seconds since the epoch; it may go back."""
        forward = max(0.0, now - self.now())
        self._move(now=now, monotonic=self.monotonic() + forward)

    def freeze(self, *, frozen: bool) -> None:
        """Stop this clock, or let it go on from where it stands."""
        now, monotonic = self.now(), self.monotonic()
        self.frozen = frozen
        self._move(now=now, monotonic=monotonic)

    def rescale(self, scale: float) -> None:
        """Let `scale` seconds pass here for each real one (> 0, a million at most)."""
        if not 0 < scale <= _FASTEST:
            raise ValueError(f"scale must be > 0 and <= {_FASTEST:g}; use freeze to stop the clock")
        now, monotonic = self.now(), self.monotonic()
        self.scale = scale
        self._move(now=now, monotonic=monotonic)

    def reset(self) -> None:
        """Go back to real time."""
        self.frozen, self.scale = False, 1.0
        self._move(now=time.time(), monotonic=self.monotonic())
        self.is_real = True

    def kept(self) -> Course | None:
        """How it runs, for a clock that goes on in its place; None if it is real."""
        return None if self.is_real else Course(self.now(), time.time(), self.frozen, self.scale)

    def go_on(self, course: Course) -> None:
        """Run as if that clock had never stopped."""
        self.frozen, self.scale = course.frozen, course.scale
        passed = 0.0 if course.frozen else max(0.0, time.time() - course.real) * course.scale
        self._move(now=course.now + passed, monotonic=self.monotonic())

    def course(self) -> tuple[float, float, float, float]:
        """How it runs since its last move: both readings then, the real one, its seconds for a real one."""
        return self._now, self._monotonic, self._real, 0.0 if self.frozen else self.scale

    def real(self, seconds: float) -> float:
        """How long a system call may wait in place of `seconds` of this clock; a move doesn't wake it."""
        return seconds

    def real_delay(self, at: float) -> float | None:
        """Real seconds until `now` reads `at`; None while frozen short of it."""
        left = at - self.now()
        if left <= 0:
            return 0.0
        return None if self.frozen else left / self.scale

    def watch(self, moved: Callable[[], None]) -> Callable[[], None]:
        """Have `moved` called on the mover's thread after each move; returns what ends that."""
        self._watchers.append(moved)
        return lambda: self._watchers.remove(moved)

    async def asleep(self, seconds: float) -> None:
        """Sleep until `seconds` of this clock have passed; wakes at once when it is moved past them."""
        until = self.monotonic() + seconds
        moved = asyncio.Event()
        unwatch = self.watch(moved.set)
        try:
            while (left := until - self.monotonic()) > 0:
                moved.clear()
                await _wait(moved, None if self.frozen else left / self.scale)
        finally:
            unwatch()

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """Wait on a held condition until notified, or until `monotonic` reads `until`; may return early."""
        # Race: watch first, or a move between the look at the clock and the wait would wake nobody.
        unwatch = self.watch(lambda: _notify(condition))
        try:
            left = None if until is None or self.frozen else max(0.0, until - self.monotonic()) / self.scale
            if until is not None and self.monotonic() >= until:
                return
            condition.wait(left)
        finally:
            unwatch()

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds` of this clock."""
        until = self.monotonic() + seconds
        with self._moved:
            while (left := until - self.monotonic()) > 0:
                self._moved.wait(None if self.frozen else left / self.scale)

    def _move(self, *, now: float, monotonic: float) -> None:
        if not _EARLIEST <= now <= _LATEST:  # nor is NaN
            raise ValueError("the clock goes from the year 1970 to 9000")
        self.is_real = False
        self._rebase(now=now, monotonic=monotonic)
        with self._moved:
            self._moved.notify_all()
        for moved in list(self._watchers):
            moved()

    def _rebase(self, *, now: float, monotonic: float) -> None:
        self._now, self._monotonic, self._real = now, monotonic, time.monotonic()


def _notify(condition: threading.Condition) -> None:
    with condition:
        condition.notify_all()


async def _wait(moved: asyncio.Event, timeout: float | None) -> None:
    try:
        await asyncio.wait_for(moved.wait(), timeout)
    except TimeoutError:
        return
