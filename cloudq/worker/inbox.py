"""A child's jobs. Whoever is to run the next one reads it off the connection: no thread stands in between.

While a child is busy its jobs wait in its socket, and its supervisor writes no more than the socket takes.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from cloudq.worker.executors import Job
from cloudq.worker.frames import Reader

__all__ = ["Inbox"]

logger = logging.getLogger(__name__)

_CHUNK = 64 * 1024
"""What a read asks for. The C library maps more than twice that anew for each read, and unmaps it: that takes
longer than to read a job."""
_MOMENT = 0.05
"""Seconds after which whoever reads waits for a job: it takes one that has come in far less."""


class Inbox:
    """Takes jobs off a connection. Thread-safe.

    Args:
        connection: To the supervisor.
        give_back: Called with the tags of what isn't to be run.
    """

    def __init__(self, connection: socket.socket, give_back: Callable[[list[int]], Any]) -> None:
        self._connection = connection
        self._give_back = give_back
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._reader = Reader()
        self._reading = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._is_over = False
        self._calls = self._resumes = 0
        self.has_count = True
        """Whether the jobs' bodies count their failures."""

    def __bool__(self) -> bool:
        """Whether there is a job that needn't be waited for."""
        return bool(self._jobs)

    def take(self) -> Job | None:
        """The next job, once there is one; None when there are no more."""
        with self._reading:
            while self._has_some():
                try:
                    job = self._jobs.popleft()
                except IndexError:
                    continue  # called back meanwhile
                if not self._is_called_back:
                    return job
                self._give_back([job[0]])
        return None

    def take_ready(self) -> Job | None:
        """The next job, if there is one already: never waits."""
        if not self._reading.acquire(blocking=False):
            return None  # somebody else is to have the next one
        try:
            if not (self._jobs or self._is_over) and self._poll.poll(0):
                self._read()
            if not self._jobs:
                return None
            job = self._jobs.popleft()
        except IndexError:
            return None  # called back meanwhile
        finally:
            self._reading.release()
        if not self._is_called_back:
            return job
        self._give_back([job[0]])
        return None

    def call_back(self) -> None:
        """Give back what hasn't been taken yet, and all that still comes until the supervisor goes on."""
        # Race: that it goes on comes on another connection, and perhaps before.
        self._calls += 1
        if not self._is_called_back:
            return
        # Whoever waits for a job holds the lock, and finds out by itself that none is to be run any more.
        if self._reading.acquire(timeout=_MOMENT):
            try:
                while not self._is_over and self._poll.poll(0):
                    self._read()
            finally:
                self._reading.release()
        self._give_back_all()

    @property
    def _is_called_back(self) -> bool:
        return self._calls > self._resumes

    def _give_back_all(self) -> None:
        self._give_back([self._jobs.popleft()[0] for _ in range(len(self._jobs))])

    def _has_some(self) -> bool:
        while not (self._jobs or self._is_over):
            self._read()
        return bool(self._jobs)

    def _read(self) -> None:
        try:
            data = self._connection.recv(_CHUNK)
        except OSError as error:
            logger.debug("the supervisor's end broke: %s", error, extra={"action": "supervisor_gone"})
            data = b""
        self._is_over = not data
        for frame in self._reader.feed(data):
            match frame:
                case ("run", has_count, jobs):
                    self.has_count = has_count
                    self._jobs += jobs
                case ("go on",):
                    self._give_back_all()
                    self._resumes += 1
                case _:
                    self._is_over = True
