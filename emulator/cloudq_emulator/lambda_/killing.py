"""The fault that is Lambda's own: a function's process is killed while it runs."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloudq_emulator.faults import Fault, Faults

_KIND: Final = frozenset({"kill_function"})


class Killer:
    """Knows what runs, and kills it when a fault says so.

    Args:
        faults: Those that stand.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._running: dict[object, tuple[str, Callable[[], None]]] = {}

    @contextlib.contextmanager
    def running(self, name: str, kill: Callable[[], None]) -> Iterator[None]:
        """Have a function run within this block, which a fault may `kill`."""
        run = object()
        self._running[run] = name, kill
        striking = self._faults.of(_KIND, service="lambda", function=name)
        timers = [_kill_later(fault, kill) for fault in striking if fault.strikes()]
        try:
            yield
        finally:
            del self._running[run]
            for timer in timers:
                timer.cancel()

    def kill(self, fault: Fault) -> None:
        """Let a `kill_function` strike now, if any of its functions runs; else it strikes the next to run."""
        struck = [
            kill for name, kill in self._running.values() if fault.is_of(service="lambda", function=name)
        ]
        if struck and fault.strikes():
            for kill in struck:
                _kill_later(fault, kill)


def _kill_later(fault: Fault, kill: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(fault.seconds or 0, kill)
