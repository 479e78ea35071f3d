"""Soft time limits: `SoftTimeLimitError` raised inside a run that takes too long, for it to clean up.

| where the run is | how it is reached |
|---|---|
| the main thread | a timer's signal (SIGALRM), which ends a `sleep` or a read, too |
| another thread | by the interpreter, between two of its instructions |
| a greenlet | by gevent, where it waits |
| a coroutine | where it awaits |

No way reaches into a library's C code that runs; the error is raised when that returns.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from cloudq.errors import SoftTimeLimitError

if TYPE_CHECKING:
    import asyncio

__all__ = ["in_greenlet", "limited", "limiting"]

R = TypeVar("R")


def limiting(seconds: float | None) -> AbstractContextManager[object]:
    """Raise `SoftTimeLimitError` in the block once `seconds` have passed; None sets no limit."""
    if seconds is None:
        return nullcontext()
    if in_greenlet():
        from gevent import Timeout

        return Timeout(seconds, SoftTimeLimitError())
    is_main = threading.current_thread() is threading.main_thread()
    return _limiting_main(seconds) if is_main else _limiting_thread(seconds)


def in_greenlet() -> bool:
    """Whether what looks like a thread is one of gevent's greenlets."""
    if "gevent.monkey" not in sys.modules:
        return False
    from gevent.monkey import is_module_patched

    return bool(is_module_patched("threading"))


@contextmanager
def _limiting_main(seconds: float) -> Generator[None]:
    is_over = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not is_over:
            raise SoftTimeLimitError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _limiting_thread(seconds: float) -> Generator[None]:
    thread, lock, is_over = threading.get_ident(), threading.Lock(), False

    def interrupt() -> None:
        # Race: under the lock, so that it never reaches the thread's next run.
        with lock:
            if not is_over:
                _raise_in(thread, SoftTimeLimitError)

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            is_over = True
            _raise_in(thread, None)  # what was on its way and hasn't been raised yet
        timer.cancel()


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    import ctypes

    wanted = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), wanted)


class _Limited:
    """Awaits a coroutine and raises in it, where it awaits, once its time is over."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._is_due = False

    def interrupt(self, task: asyncio.Task[Any]) -> None:
        self._is_due = True
        task.cancel()

    def __await__(self) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(None) if error is None else self._coroutine.throw(error)
            except StopIteration as stop:
                return stop.value
            error = None
            try:
                yield waits_for
            except BaseException as raised:  # noqa: BLE001 - handed on to the coroutine
                error = self._turned(raised)

    def _turned(self, raised: BaseException) -> BaseException:
        import asyncio

        if not self._is_due or not isinstance(raised, asyncio.CancelledError):
            return raised
        self._is_due = False
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return SoftTimeLimitError()


async def limited(coroutine: Coroutine[Any, Any, R], seconds: float | None) -> R:
    """Await a coroutine, with `SoftTimeLimitError` raised in it once `seconds` have passed."""
    import asyncio

    task = asyncio.current_task()
    if seconds is None or task is None:
        return await coroutine
    run = _Limited(coroutine)
    timer = asyncio.get_running_loop().call_later(seconds, run.interrupt, task)
    try:
        return await run
    finally:
        timer.cancel()
