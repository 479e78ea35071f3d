"""Calls from event loops that share sends, without blocking a loop and without a thread for each.

What coroutines send in one turn of a loop is handed to one thread, which sends it at once; what comes while
it sends, from whichever loop, goes together the next time. Under load batches fill by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cloudq.processes import PerProcess
from cloudq.tasks import Calls

__all__ = ["SharedSends"]

IDLE = 10.0
"""Seconds without work after which the thread ends; the next call starts another."""

SendEach = Callable[[Sequence[Calls]], Sequence[Exception | None]]
"""Sends several callers' calls together; of each caller what went wrong, or None."""

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Waiting:
    """One coroutine that waits for its calls to be sent."""

    calls: Calls
    future: asyncio.Future[None]


@dataclass(eq=False, slots=True)
class _Turn:
    """What one turn of a loop gathers."""

    loop: asyncio.AbstractEventLoop
    waiting: list[_Waiting] = field(default_factory=list[_Waiting])


class SharedSends:
    """Sends calls for coroutines.

    Args:
        send_each: What sends; it may block.
    """

    def __init__(self, send_each: SendEach) -> None:
        self._publisher = PerProcess(lambda: _Publisher(send_each))
        self._local = threading.local()

    async def send(self, calls: Calls) -> None:
        """Send calls, together with what others send in this turn of the loop.

        Who is cancelled before the turn ends has sent nothing; after that the calls may be sent.

        Raises:
            Exception: What went wrong with these calls, others' aside.
        """
        loop = asyncio.get_running_loop()
        turn: _Turn | None = getattr(self._local, "turn", None)
        if turn is None or turn.loop is not loop:
            turn = self._local.turn = _Turn(loop)
            loop.call_soon(self._end_turn, turn)
        waiting = _Waiting(calls, loop.create_future())
        turn.waiting.append(waiting)
        await waiting.future

    def close(self) -> None:
        """End the thread once what waits is sent."""
        self._publisher.get().rest()

    def _end_turn(self, turn: _Turn) -> None:
        self._local.turn = None
        wanted = [one for one in turn.waiting if not one.future.done()]
        if wanted:
            self._publisher.get().put(wanted)


class _Publisher:
    """One process's thread that sends; it is there while there is work."""

    def __init__(self, send_each: SendEach) -> None:
        self._send_each = send_each
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._is_running = False

    def put(self, waiting: Sequence[_Waiting]) -> None:
        with self._changed:
            self._waiting += waiting
            self._changed.notify()
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="cloudq-send", daemon=True).start()

    def rest(self) -> None:
        """Let the thread end, which waits for work, instead of waiting out `IDLE`."""
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while batch := self._next():
            self._send(batch)

    def _next(self) -> list[_Waiting]:
        with self._changed:
            if not self._waiting:
                self._changed.wait(IDLE)
            batch, self._waiting = self._waiting, []
            # Race: decided under the lock, so that who comes from now on starts another thread.
            self._is_running = bool(batch)
            return batch

    def _send(self, batch: Sequence[_Waiting]) -> None:
        try:
            errors = self._send_each([one.calls for one in batch])
        except BaseException as error:  # noqa: BLE001 - raised where the coroutines wait
            failure = error if isinstance(error, Exception) else RuntimeError(f"not sent: {error!r}")
            errors = [failure] * len(batch)
        for one, error in zip(batch, errors, strict=True):
            try:
                one.future.get_loop().call_soon_threadsafe(_settle, one.future, error)
            except RuntimeError:
                # Its loop is closed: nobody waits any more.
                logger.debug("a loop ended before its calls were sent", extra={"action": "loop_closed"})


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
