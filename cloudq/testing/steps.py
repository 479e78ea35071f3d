"""What tests do besides asserting: wait, with a deadline, and begin what waits."""
# ruff: noqa: S101 - a step that fails is a test that fails

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread
from typing import TypeVar

from cloudq.clock import SystemClock

__all__ = ["PATIENCE", "PassTime", "in_thread", "until"]

PATIENCE = 10.0
"""Real seconds after which what should have happened is taken for failed."""

PassTime = Callable[[float], None]

_Result = TypeVar("_Result")


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition for at most `PATIENCE`."""
    clock, pause = SystemClock(), Event()
    deadline = clock.monotonic() + PATIENCE
    while not condition():
        assert clock.monotonic() < deadline, f"no {what} within {PATIENCE:.0f} seconds"
        pause.wait(0.002)


def in_thread(call: Callable[[], _Result]) -> Future[_Result]:
    """Begin a call in a thread that no failing test waits for."""
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
