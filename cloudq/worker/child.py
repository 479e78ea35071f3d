"""A child: takes messages from its supervisor, runs them, says what became of them.

Before each run it notes in its progress which message it is, so that its supervisor knows what it died of.
What became of quick tasks is told for several at a time: when it has nothing left to run, and every few
milliseconds while it has. When the supervisor is gone the child ends at once: nobody keeps its leases any
more, and what it runs will be run again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
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
from cloudq.worker.progress import Progress

__all__ = ["Child"]

logger = logging.getLogger(__name__)

_CHUNK = 256 * 1024
_TOLD_AT_ONCE = 50
"""Ended runs that are told in one frame at most: so many may be run again when the child is killed."""
_TELL_WITHIN_MS = 5
"""Milliseconds (poll's unit) after which what has ended is told, whatever still runs."""


class Child:
    """The child's side of a connection.

    Args:
        app: Whose tasks it runs.
        connection: To the supervisor.
        progress: Where it notes what it runs.
        executor: How it runs them.
        on_orphaned: What to do when the supervisor is gone.
        max_memory_kib: How much it may have had in memory before it asks to be replaced; None for any.
    """

    def __init__(
        self,
        app: App,
        connection: socket.socket,
        progress: Progress,
        executor: Executor,
        *,
        on_orphaned: Callable[[], Any],
        max_memory_kib: int | None = None,
    ) -> None:
        self._app = app
        self._connection = connection
        self._progress = progress
        self._executor = executor
        self._on_orphaned = on_orphaned
        self._max_memory_kib = max_memory_kib
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._free_slots = list(range(progress.slots))
        self._ended: deque[tuple[int, tuple[Any, ...]]] = deque()
        self._lost: set[int] = set()
        self._has_count = True
        self._writing = threading.Lock()
        self._pid = os.getpid()

    def serve(self) -> None:
        """Run messages until the supervisor says stop, or is gone."""
        threading.Thread(target=self._listen, name="cloudq-listen", daemon=True).start()
        self._say("ready")
        self._executor(self)
        self._tell()

    @property
    def slots(self) -> int:
        return self._progress.slots

    def take(self) -> Job | None:
        job = self._jobs.get()
        if job is None:
            self._jobs.put(None)  # for the next thread
        return job

    def run(self, job: Job) -> None:
        if (context := self._context(job)) is None:
            return
        slot = self._begin(job[0])
        try:
            words = pack_execution(execute(self._app, job[2], context))
        except BaseException as error:  # noqa: BLE001 - a KeyboardInterrupt, or what can't be packed
            words = _broken(job, context, error)
        self._end(job[0], slot, words)

    async def run_async(self, job: Job) -> None:
        if (context := self._context(job)) is None:
            return
        slot = self._begin(job[0])
        try:
            words = pack_execution(await execute_async(self._app, job[2], context))
        except BaseException as error:  # noqa: BLE001 - as above
            words = _broken(job, context, error)
        self._end(job[0], slot, words)

    def _context(self, job: Job) -> Context | None:
        """How it arrived; None for what isn't run any more, which is said."""
        tag, name, _, receive_count, max_receives = job
        if tag in self._lost:
            self._say("returned", [tag])
            return None
        return Context(
            queue=name,
            receive_count=receive_count,
            max_receives=max_receives,
            has_count=self._has_count,
            is_lease_lost=lambda: tag in self._lost,
            on_limit=partial(self._say, "limited", tag),
        )

    def _begin(self, tag: int) -> int:
        slot = self._free_slots.pop()
        self._progress.begin(slot, tag)
        return slot

    def _end(self, tag: int, slot: int, words: tuple[Any, ...]) -> None:
        if os.getpid() != self._pid:
            os._exit(0)  # the task has forked, and its other half comes back here, to take what isn't its own
        self._progress.end(slot)
        self._free_slots.append(slot)
        if self._lost:
            self._lost.discard(tag)
        self._ended.append((tag, words))
        if self._jobs.empty() or len(self._ended) >= _TOLD_AT_ONCE:
            self._tell()

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
        reader = Reader()
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        try:
            while True:
                # Race: a run that ends while others wait doesn't tell, and adds its end before it looks; so
                # whoever looks for waiting ones first and for ends then misses none.
                is_busy = not self._jobs.empty() or self._ended
                if not poll.poll(_TELL_WITHIN_MS if is_busy else None):
                    self._tell()
                elif data := self._connection.recv(_CHUNK):
                    for frame in reader.feed(data):
                        self._obey(frame)
                else:
                    break
        except OSError as error:
            logger.debug("the supervisor's end broke: %s", error, extra={"action": "supervisor_gone"})
        self._jobs.put(None)
        self._on_orphaned()

    def _obey(self, frame: tuple[Any, ...]) -> None:
        match frame:
            case ("run", has_count, jobs):
                self._has_count = has_count
                for job in jobs:
                    self._jobs.put(job)
            case ("lost", tags):
                self._lost.update(tags)
            case ("return",):
                self._say("returned", self._unstarted())
            case _:
                self._jobs.put(None)

    def _unstarted(self) -> list[int]:
        tags: list[int] = []
        with contextlib.suppress(queue.Empty):
            while (job := self._jobs.get_nowait()) is not None:
                tags.append(job[0])
        return tags


def _most_kib() -> int:
    """The most that this process has had in memory. Source: getrusage(2); macOS says it in bytes."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most // 1024 if sys.platform == "darwin" else most


def _broken(job: Job, context: Context, error: BaseException) -> tuple[Any, ...]:
    return pack_execution(crashed(job[2], context, f"{type(error).__name__} broke its run: {error}"))
