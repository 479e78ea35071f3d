"""A journal that has grown long is written anew, a little at a time, while requests are answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.clock import real_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudq_emulator.store import Journal

_AT_ONCE: Final = 0.003
"""Seconds of writing at a time, and at least as long in between for requests."""


class Shortening:
    """One time that a journal is written anew.

    Args:
        journal: The journal.
        lines: What stands for all that there is; each is made when it is written, the first one at once:
            before anything else.
    """

    def __init__(self, journal: Journal, lines: Iterator[list[Any]]) -> None:
        self._journal = journal
        self._lines = lines
        self._loop = asyncio.get_running_loop()
        journal.begin_anew()
        journal.add_anew(next(lines))
        self._next = self._loop.call_soon(self._go_on)

    def stop(self) -> None:
        """Leave the journal as it is."""
        self._next.cancel()
        self._journal.abandon_anew()

    def _go_on(self) -> None:
        until = real_seconds() + _AT_ONCE
        for line in self._lines:
            if not self._journal.add_anew(line):
                return
            if real_seconds() >= until:
                self._next = self._loop.call_later(_AT_ONCE, self._go_on)
                return
        self._journal.end_anew()
