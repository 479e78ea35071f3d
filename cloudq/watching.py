"""Results for coroutines: one thread waits for all that are awaited, in whichever loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Watcher"]

IDLE = 10.0
"""Seconds without work after which the thread ends; the next await starts another."""
GLANCE = 0.05
"""Seconds after which what was awaited meanwhile is waited for, too: a wait under way can't be told of it."""

T = TypeVar("T")

Wait = Callable[[Sequence[str], float], Iterator[tuple[str, T]]]
"""Gives what has come of these ids, each as it comes, for at most so many seconds."""

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Awaited(Generic[T]):
    id: str
    until: float | None
    future: asyncio.Future[T | None]


class Watcher(Generic[T]):
    """Waits for ids, in a thread that is there while there is work.

    Args:
        wait: What waits; it may block.
        monotonic: The clock that deadlines are on, in seconds.
    """

    def __init__(self, wait: Wait[T], monotonic: Callable[[], float]) -> None:
        self._wait = wait
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._awaited: list[_Awaited[T]] = []
        self._is_running = False

    async def result(self, id: str, timeout: float | None) -> T | None:
        """What comes of an id; None where nothing has after `timeout` seconds, and one look.

        Raises:
            Exception: What waiting fails with.
        """
        until = None if timeout is None else self._monotonic() + timeout
        one: _Awaited[T] = _Awaited(id, until, asyncio.get_running_loop().create_future())
        with self._changed:
            self._awaited.append(one)
            self._changed.notify()
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="cloudq-await", daemon=True).start()
        return await one.future

    def rest(self) -> None:
        """Let the thread end, which waits for work, instead of waiting out `IDLE`."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while awaited := self._next():
            self._look(awaited)

    def _next(self) -> list[_Awaited[T]]:
        with self._changed:
            self._awaited = [one for one in self._awaited if not one.future.done()]
            if not self._awaited:
                self._changed.wait(IDLE)
            # Race: decided under the lock, so that who comes from now on starts another thread.
            self._is_running = bool(self._awaited)
            return list(self._awaited)

    def _look(self, awaited: Sequence[_Awaited[T]]) -> None:
        by_id: defaultdict[str, list[_Awaited[T]]] = defaultdict(list)
        for one in awaited:
            by_id[one.id].append(one)
        began_at = self._monotonic()
        patience = min([GLANCE, *(one.until - began_at for one in awaited if one.until is not None)])
        try:
            for key, found in self._wait(list(by_id), max(0.0, patience)):
                for one in by_id.pop(key):
                    self._settle(one, found)
        except Exception as error:  # noqa: BLE001 - raised where the coroutines wait
            for one in (one for some in by_id.values() for one in some):
                self._settle(one, error)
            return
        now = self._monotonic()
        for one in (one for some in by_id.values() for one in some):
            if one.until is not None and one.until <= now:
                self._settle(one, None)

    def _settle(self, one: _Awaited[T], found: T | Exception | None) -> None:
        with self._changed:
            self._awaited.remove(one)
        try:
            one.future.get_loop().call_soon_threadsafe(_tell, one.future, found)
        except RuntimeError:
            # Its loop is closed: nobody waits any more.
            logger.debug("a loop ended before its result came", extra={"action": "loop_closed"})


def _tell(future: asyncio.Future[T | None], found: T | Exception | None) -> None:
    if future.done():
        return
    if isinstance(found, Exception):
        future.set_exception(found)
    else:
        future.set_result(found)
