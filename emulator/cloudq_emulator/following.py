"""The clock as a file that other processes map into their memory: they have each move once it returns.

`cloudq.clock.FollowingClock` reads it; its docstring says what is in it.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cloudq.clock import FollowingClock

if TYPE_CHECKING:
    from cloudq_emulator.clock import MovableClock

_SIZE = FollowingClock.LAYOUT.size


class ClockFile:
    """Says in a file how a clock runs, as long as it is open.

    Args:
        clock: The clock.
    """

    def __init__(self, clock: MovableClock) -> None:
        file, name = tempfile.mkstemp(prefix="cloudq-clock-")
        os.ftruncate(file, _SIZE)
        self._state = mmap.mmap(file, _SIZE)
        os.close(file)
        self._clock = clock
        self._moves = 0
        self.path = Path(name)
        self._unwatch = clock.watch(self._write)
        self._write()

    def close(self) -> None:
        """Take the file away; who follows goes on as the clock ran last."""
        self._unwatch()
        self.path.unlink(missing_ok=True)
        self._state.close()

    def _write(self) -> None:
        self._moves += 1
        self._state[:] = FollowingClock.LAYOUT.pack(self._moves, *self._clock.course(), self._moves)
