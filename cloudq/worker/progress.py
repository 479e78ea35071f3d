"""Which messages a child runs: words in memory that its supervisor shares, and that outlive its death.

A word a slot: the tag of the message that runs there, or 0. A child writes one as it begins a run and clears
it as the run ends, which costs a tenth of a microsecond where a frame costs ten; so its supervisor knows what
it died of, however quick its tasks are. Three more a slot are written by runs with a time limit: when that is
over, how long it is, and the run's tag, by which they are told from those of a run before.
"""

from __future__ import annotations

import mmap
import os
import tempfile

from cloudq.worker.time_limits import Limited

__all__ = ["Progress", "make_file"]

_WORD = 8
_WORDS = 4
"""For each slot."""


def make_file(slots: int) -> int:
    """A descriptor of the memory for so many slots, to be handed to a child."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("cloudq-progress", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:  # macOS
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, slots * _WORDS * _WORD)
    return descriptor


class Progress:
    """The words, as both sides see them.

    Args:
        descriptor: Of the memory, which it maps; the descriptor itself isn't needed any more.
    """

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, 0)
        memory = memoryview(self._map)
        self.slots = slots = len(memory) // (_WORDS * _WORD)
        """How many messages can run at once."""
        self._words = memory[: slots * _WORD].cast("Q")
        self._limited = memory[slots * _WORD : 2 * slots * _WORD].cast("Q")
        self._limits = memory[2 * slots * _WORD :].cast("d")

    def begin(self, slot: int, tag: int) -> None:
        """The message runs in that slot."""
        self._words[slot] = tag

    def limit(self, slot: int, kill_at: float, seconds: float) -> None:
        """What runs there may run for so many seconds, until `kill_at` on the monotonic clock."""
        self._limits[2 * slot], self._limits[2 * slot + 1] = kill_at, seconds
        self._limited[slot] = self._words[slot]  # last: what is read before isn't believed

    def end(self, slot: int) -> None:
        """Nothing runs there."""
        self._words[slot] = 0

    def running(self) -> list[int]:
        """The tags of what runs, or ran when the child ended."""
        return [tag for tag in self._words if tag]

    def limited(self) -> list[Limited]:
        """What runs under a time limit."""
        runs = [
            Limited(tag, self._limits[2 * slot], self._limits[2 * slot + 1])
            for slot, tag in enumerate(self._words)
            if tag and tag == self._limited[slot]
        ]
        # Race: of a run that ended meanwhile, what was read may be the next one's.
        return [run for run in runs if run.tag in self._words.tolist()] if runs else runs

    def close(self) -> None:
        """Let go of the memory."""
        for view in (self._words, self._limited, self._limits):
            view.release()
        self._map.close()
