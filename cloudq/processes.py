"""State that a forked child must not share with its parent: connections, locks, threads' work.

| piece | for |
|---|---|
| `PerProcess` | what a child makes anew |
| `unforked` | what must be done before a fork, or after it |
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["PerProcess", "unforked"]

T = TypeVar("T")

unforked = threading.RLock()
"""Held while something is made on first use, above all while modules are imported: a fork waits for its end.
A child whose parent was importing a module in another thread could never import it: Python leaves the lock of
that module held in the child. So it is with OpenSSL's locks, while something is signed."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=unforked.acquire, after_in_parent=unforked.release, after_in_child=unforked.release
    )


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
