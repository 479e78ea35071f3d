"""How a process that has SQLite files open may fork.

A child that inherits a connection inherits SQLite's belief in locks that are its parent's, and the
connections that it makes itself believe it, too. So no connection is open while a process forks. Source:
SQLite, How To Corrupt An SQLite Database File, section 2.6, read 2026-11.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["let_fork"]


class Forking(Protocol):
    """What has a connection."""

    def before_fork(self) -> None:
        """Wait for the transaction under way, disconnect, and let nobody connect."""
        ...

    def after_fork(self) -> None:
        """Go on in the parent."""
        ...

    def after_fork_in_child(self) -> None:
        """Go on in the child, where no other thread is left to release what it held."""
        ...


_all: WeakSet[Forking] = WeakSet()
_forking: list[Forking] = []


def let_fork(one: Forking) -> None:
    """Call the methods of `one`, as long as it lives, whenever this process forks."""
    _all.add(one)


def _before() -> None:
    ordered = sorted(_all, key=id)  # always in the same order, or two forks would deadlock
    for one in ordered:
        one.before_fork()
    _forking[:] = ordered


def _after_in_parent() -> None:
    forked = _forking[:]
    _forking.clear()
    for one in forked:
        one.after_fork()


def _after_in_child() -> None:
    for one in _forking:
        one.after_fork_in_child()
    _forking.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
