"""Which messages a child runs: words in memory that its supervisor shares, and that outlive its death.

A word a slot: the tag of the message that runs there, or 0. A child writes one as it begins a run and clears
it as the run ends, which costs a tenth of a microsecond where a frame costs ten; so its supervisor knows what
it died of, however quick its tasks are.
"""

from __future__ import annotations

import mmap
import os
import tempfile

__all__ = ["Progress", "make_file"]

_WORD = 8


def make_file(slots: int) -> int:
    """A descriptor of the memory for so many slots, to be handed to a child."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("cloudq-progress", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:  # macOS
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, slots * _WORD)
    return descriptor


class Progress:
    """The words, as both sides see them.

    Args:
        descriptor: Of the memory, which it maps; the descriptor itself isn't needed any more.
    """

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, 0)
        self._words = memoryview(self._map).cast("Q")

    @property
    def slots(self) -> int:
        """How many messages can run at once."""
        return len(self._words)

    def begin(self, slot: int, tag: int) -> None:
        """The message runs in that slot."""
        self._words[slot] = tag

    def end(self, slot: int) -> None:
        """Nothing runs there."""
        self._words[slot] = 0

    def running(self) -> list[int]:
        """The tags of what runs, or ran when the child ended."""
        return [tag for tag in self._words if tag]

    def close(self) -> None:
        """Let go of the memory."""
        self._words.release()
        self._map.close()
