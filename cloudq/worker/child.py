"""A child: takes messages from its supervisor, runs them, says what became of them.

Before each run it notes in its progress which message it is, so that its supervisor knows what it died of.
What became of quick tasks is told for several at a time: when it has nothing left to run, and every few
milliseconds while it has. When the supervisor is gone the child ends at once: nobody keeps its leases any
more, and what it runs will be run again.
"""

from __future__ import annotations

import logging
import os
import resource
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from cloudq.app import App
from cloudq.execution import Context, crashed, execute, execute_async
from cloudq.worker.executors import Executor, Job
from cloudq.worker.frames import Reader, pack, pack_execution
from cloudq.worker.inbox import Inbox
from cloudq.worker.progress import Progress

__all__ = ["Child"]

logger = logging.getLogger(__name__)

_CHUNK = 4096
_TOLD_AT_ONCE = 50
"""Ended runs that are told in one frame at most: so many may be run again when the child is killed."""
_TELL_WITHIN_MS = 5
"""Milliseconds (poll's unit) after which what has ended is told, whatever still runs."""


class Child:
    """The child's side of a connection.

    Args:
        app: Whose tasks it runs.
        connection: To the supervisor, which says here what to run.
        urgent: What the supervisor says is not to wait behind what is to be run.
        progress: Where it notes what it runs.
        executor: How it runs them.
        on_orphaned: What to do when the supervisor is gone.
        max_memory_kib: How much it may have had in memory before it asks to be replaced; None for any.
    """

    def __init__(
        self,
        app: App,
        connection: socket.socket,
        urgent: socket.socket,
        progress: Progress,
        executor: Executor,
        *,
        on_orphaned: Callable[[], Any],
        max_memory_kib: int | None = None,
    ) -> None:
        self._app = app
        self._connection = connection
        self._urgent = urgent
        self._progress = progress
        self._executor = executor
        self._on_orphaned = on_orphaned
        self._max_memory_kib = max_memory_kib
        self._inbox = Inbox(connection, partial(self._say, "returned"))
        self._free_slots = list(range(progress.slots))
        self._ended: deque[tuple[int, tuple[Any, ...]]] = deque()
        self._lost: set[int] = set()
        self._writing = threading.Lock()
        self._is_timed = False
        self._timer_in, self._timer_out = socket.socketpair()
        self._pid = os.getpid()

    def serve(self) -> None:
        """Run messages until the supervisor says stop, or is gone."""
        listener = threading.Thread(target=self._listen, name="cloudq-listen", daemon=True)
        listener.start()
        with self._timer_in, self._timer_out:
            self._say("ready")
            self._executor(self)
            self._tell()
            self._timer_out.shutdown(socket.SHUT_WR)
            listener.join()

    @property
    def slots(self) -> int:
        return self._progress.slots

    def take(self) -> Job | None:
        return self._inbox.take()

    def take_ready(self) -> Job | None:
        return self._inbox.take_ready()

    def run(self, job: Job) -> None:
        if self._lost and self._is_lost(job[0]):
            return
        slot = self._begin(job[0])
        context = self._context(job, slot)
        try:
            words = pack_execution(execute(self._app, job[2], context))
        except BaseException as error:  # noqa: BLE001 - a KeyboardInterrupt, or what can't be packed
            words = _broken(job, context, error)
        self._end(job[0], slot, words)

    async def run_async(self, job: Job) -> None:
        if self._lost and self._is_lost(job[0]):
            return
        slot = self._begin(job[0])
        context = self._context(job, slot)
        try:
            words = pack_execution(await execute_async(self._app, job[2], context))
        except BaseException as error:  # noqa: BLE001 - as above
            words = _broken(job, context, error)
        self._end(job[0], slot, words)

    def _is_lost(self, tag: int) -> bool:
        """Whether it isn't run any more, which is said."""
        if tag not in self._lost:
            return False
        self._lost.discard(tag)
        self._say("returned", [tag])
        return True

    def _context(self, job: Job, slot: int) -> Context:
        tag, name, _, receive_count, max_receives = job
        has_count, limit = self._inbox.has_count, partial(self._limit, slot)
        return Context(name, receive_count, max_receives, has_count, None, lambda: tag in self._lost, limit)

    def _begin(self, tag: int) -> int:
        slot = self._free_slots.pop()
        self._progress.begin(slot, tag)
        return slot

    def _limit(self, slot: int, seconds: float) -> None:
        self._progress.limit(slot, self._app.clock.monotonic() + seconds, seconds)

    def _end(self, tag: int, slot: int, words: tuple[Any, ...]) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # the task has forked, and its other half comes back here, to take what isn't its own
        self._progress.end(slot)
        self._free_slots.append(slot)
        if self._lost:
            self._lost.discard(tag)
        self._ended.append((tag, words))
        if not self._inbox or len(self._ended) >= _TOLD_AT_ONCE:
            self._tell()
        elif not self._is_timed:
            self._is_timed = True
            self._timer_out.send(b".")

    def _tell(self) -> None:
        """Say what has ended."""
        with self._writing:
            # Race: other threads append meanwhile.
            if ended := [self._ended.popleft() for _ in range(len(self._ended))]:
                self._write(pack("finished", ended))
                if self._max_memory_kib is not None and (size := _most_kib()) > self._max_memory_kib:
                    self._write(pack("full", size))
                    self._max_memory_kib = None

    def _say(self, *words: Any) -> None:
        with self._writing:
            self._write(pack(*words))

    def _write(self, data: bytes) -> None:
        try:
            self._connection.sendall(data)
        except OSError as error:
            # The supervisor is gone, or a task has closed what isn't its own: nobody hears this child.
            logger.debug("the supervisor can't be told: %s", error, extra={"action": "supervisor_gone"})
            self._on_orphaned()

    def _listen(self) -> None:
        """Heed what is urgent, and tell in time of what has ended while something runs."""
        reader, poll = Reader(), select.poll()
        for channel in (self._urgent, self._timer_in):
            poll.register(channel, select.POLLIN)
        try:
            while True:
                ready = dict(poll.poll(_TELL_WITHIN_MS if self._is_timed else None))
                if not ready:
                    # Race: a run that ends now finds no timer, or its end is told here.
                    self._is_timed = False
                    self._tell()
                if self._timer_in.fileno() in ready and not self._timer_in.recv(_CHUNK):
                    return  # all is done
                if self._urgent.fileno() in ready:
                    if not (data := self._urgent.recv(_CHUNK)):
                        break
                    for frame in reader.feed(data):
                        self._heed(frame)
        except OSError as error:
            logger.debug("the supervisor's end broke: %s", error, extra={"action": "supervisor_gone"})
        self._on_orphaned()

    def _heed(self, frame: tuple[Any, ...]) -> None:
        match frame:
            case ("lost", tags):
                self._lost.update(tags)
            case _:
                self._inbox.call_back()


def _most_kib() -> int:
    """The most that this process has had in memory. Source: getrusage(2); macOS says it in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most


def _broken(job: Job, context: Context, error: BaseException) -> tuple[Any, ...]:
    return pack_execution(crashed(job[2], context, f"{type(error).__name__} broke its run: {error}"))
