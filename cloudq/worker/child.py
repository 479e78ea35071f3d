"""A child: takes messages from its supervisor, runs them, says what became of them.

It announces each run before it starts, so that its supervisor knows what it died of. When the supervisor is
gone it ends at once: nobody keeps its leases any more, and what it runs will be run again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

from cloudq.app import App
from cloudq.execution import Context, crashed, execute
from cloudq.worker.executors import Executor, Job
from cloudq.worker.frames import Reader, pack, pack_execution

__all__ = ["Child"]

logger = logging.getLogger(__name__)

_CHUNK = 256 * 1024


class Child:
    """The child's side of a connection.

    Args:
        app: Whose tasks it runs.
        connection: To the supervisor.
        executor: How it runs them.
        on_orphaned: What to do when the supervisor is gone.
    """

    def __init__(
        self, app: App, connection: socket.socket, executor: Executor, *, on_orphaned: Callable[[], Any]
    ) -> None:
        self._app = app
        self._connection = connection
        self._executor = executor
        self._on_orphaned = on_orphaned
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lost: set[int] = set()
        self._has_count = True
        self._writing = threading.Lock()
        self._pid = os.getpid()

    def serve(self) -> None:
        """Run messages until the supervisor says stop, or is gone."""
        threading.Thread(target=self._listen, name="cloudq-listen", daemon=True).start()
        self._say("ready")
        self._executor(self._take, self._run)

    def _take(self) -> Job | None:
        job = self._jobs.get()
        if job is None:
            self._jobs.put(None)  # for the next thread
        return job

    def _run(self, job: Job) -> None:
        tag, name, body, receive_count, max_receives = job
        if tag in self._lost:
            self._say("returned", [tag])
            return
        context = Context(
            queue=name,
            receive_count=receive_count,
            max_receives=max_receives,
            has_count=self._has_count,
            is_lease_lost=lambda: tag in self._lost,
        )
        self._say("started", tag)
        try:
            words = pack_execution(execute(self._app, body, context))
        except BaseException as error:  # noqa: BLE001 - a KeyboardInterrupt, or what can't be packed
            words = pack_execution(crashed(body, context, f"{type(error).__name__} broke its run: {error}"))
        if os.getpid() != self._pid:
            os._exit(0)  # the task has forked, and its other half comes back here, to take what isn't its own
        self._lost.discard(tag)
        self._say("finished", tag, words)

    def _say(self, *words: Any) -> None:
        try:
            with self._writing:
                self._connection.sendall(pack(*words))
        except OSError as error:
            # The supervisor is gone, or a task has closed what isn't its own: nobody hears this child.
            logger.debug("the supervisor can't be told: %s", error, extra={"action": "supervisor_gone"})
            self._on_orphaned()

    def _listen(self) -> None:
        reader = Reader()
        try:
            while data := self._connection.recv(_CHUNK):
                for frame in reader.feed(data):
                    self._obey(frame)
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
