"""State that a forked child must not share with its parent: connections, locks, threads' work."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["PerProcess"]

T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that is made once in each process, on first use.

    Args:
        make: Makes it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: dict[int, T] = {}

    def get(self) -> T:
        """This process's value."""
        pid = os.getpid()
        values = self._values
        if pid not in values:
            # A lock here could be held at the moment of a fork and never be released in the child. setdefault
            # is atomic: of two threads that come first at once, both get the one that was stored.
            values.setdefault(pid, self._make())
            self._values = {pid: values[pid]}
        return values[pid]
