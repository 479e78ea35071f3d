"""Crews: what gives a supervisor its children and tells of their ends.

`ForkedCrew` has processes, `InlineCrew` one child in the supervisor's own process (`--pool solo`, tests).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cloudq.app import App
from cloudq.errors import AppImportError, CloudqError, ConfigurationError
from cloudq.worker.child import Child
from cloudq.worker.executors import Executor
from cloudq.worker.forkserver import FORK, Program, start_forkserver
from cloudq.worker.frames import Reader
from cloudq.worker.progress import Progress, make_file
from cloudq.worker.snapshot import Snapshot

__all__ = ["Crew", "Exited", "ForkedCrew", "Hired", "InlineCrew"]

_CHUNK = 64 * 1024
_END_SECONDS = 5.0
_STARTS = 3
"""Forkservers in a row that may be killed as they start."""

logger = logging.getLogger(__name__)


class _KilledError(CloudqError):
    """A signal ended a forkserver before it was ready."""


@dataclass(frozen=True, slots=True)
class Exited:
    """A child has ended.

    Args:
        number: Which.
        cause: What it ended of, in words.
        is_counted: Whether it is a death of its own: of those that end with their forkserver one is.
    """

    number: int
    cause: str
    is_counted: bool = True


class Hired(NamedTuple):
    """A child that starts: its number, the supervisor's ends of its connections, and what it runs."""

    number: int
    socket: socket.socket
    urgent: socket.socket
    progress: Progress


class Crew(Protocol):
    """A supervisor's children."""

    @property
    def channel(self) -> socket.socket | None:
        """Readable when `news` has some; None where children never end by themselves."""
        ...

    def hire(self, slots: int) -> Hired:
        """Start a child that runs up to `slots` messages at once."""
        ...

    def news(self) -> Iterator[Exited]:
        """Which children have ended."""
        ...

    def kill(self, number: int) -> bool:
        """Kill a child, if it can be killed; tells whether."""
        ...

    def close(self) -> None:
        """End what is left."""
        ...


class ForkedCrew:
    """Children that a forkserver forks.

    Args:
        program: What they run.

    Raises:
        ConfigurationError: There is no app, or a setting is wrong.
        AppImportError: The app's module raised.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._numbers = 0
        self._asked: deque[int] = deque()
        self._pids: dict[int, int] = {}
        self.snapshot = self._start()

    @property
    def channel(self) -> socket.socket:
        return self._control

    def hire(self, slots: int) -> Hired:
        self._numbers += 1
        memory = make_file(slots)
        (ours, theirs), (urgent, heeded) = socket.socketpair(), socket.socketpair()
        with theirs, heeded, contextlib.suppress(OSError):  # a forkserver that is gone is found out by `news`
            socket.send_fds(self._control, [FORK], [theirs.fileno(), heeded.fileno(), memory])
        self._asked.append(self._numbers)
        return Hired(self._numbers, ours, urgent, _mapped(memory))

    def news(self) -> Iterator[Exited]:
        data = self._receive()
        if not data:
            yield from self._start_anew()
        for word, *fields in self._reader.feed(data):
            if word == "forked":
                self._pids[self._asked.popleft()] = fields[0]
            elif (number := self._number(fields[0])) is not None:
                del self._pids[number]
                yield Exited(number, _cause(fields[1]))

    def kill(self, number: int) -> bool:
        pid = self._pids.get(number)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def close(self) -> None:
        # Its own end stays open until it has ended: closed with something unread, it would break the other's.
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._control.close()
        for number in list(self._pids):
            self.kill(number)
        self._pids.clear()

    def _start(self) -> Snapshot:
        self._process, self._control = start_forkserver(self._program)
        self._reader = Reader()
        try:
            return self._snapshot()
        except KeyboardInterrupt:  # told to stop amid an import, which may still take long
            self._process.kill()
            self._process.wait()
            raise

    def _snapshot(self) -> Snapshot:
        while data := self._receive():
            for word, text, *traceback in self._reader.feed(data):
                if word == "snapshot":
                    return Snapshot.from_json(text)
                self._control.close()
                self._process.wait()
                raise ConfigurationError(text) if traceback == [None] else AppImportError(text, *traceback)
        status = self._process.wait()
        if status < 0:
            raise _KilledError(f"While {self._program.app} was imported, {_cause(status)}.")
        raise ConfigurationError(f"Importing {self._program.app} ended the process with exit code {status}.")

    def _start_anew(self) -> Iterator[Exited]:
        """The forkserver is gone, and with it whoever tells of its children's ends: start over."""
        gone = [*self._pids, *self._asked]
        self.close()
        self._asked.clear()
        self.snapshot = self._start_insistently()
        for index, number in enumerate(gone):
            yield Exited(number, "the forkserver that it came from was killed", is_counted=index == 0)

    def _start_insistently(self) -> Snapshot:
        """A worker that has run before doesn't end because its new forkserver is killed as it starts."""
        for _ in range(_STARTS - 1):
            try:
                return self._start()
            except _KilledError as error:
                logger.warning("%s; once more", error, extra={"action": "forkserver_killed"})
        return self._start()

    def _receive(self) -> bytes:
        try:
            return self._control.recv(_CHUNK)
        except OSError:
            return b""

    def _number(self, pid: int) -> int | None:
        return next((number for number, known in self._pids.items() if known == pid), None)


class InlineCrew:
    """One child in this process; `serve` runs it in the thread that calls.

    Args:
        app: Whose tasks it runs.
        executor: How.
    """

    channel = None

    def __init__(self, app: App, executor: Executor) -> None:
        self._app = app
        self._executor = executor
        self._hired = threading.Event()
        self._theirs: tuple[socket.socket, socket.socket, Progress] | None = None

    def hire(self, slots: int) -> Hired:
        (ours, theirs), (urgent, heeded) = socket.socketpair(), socket.socketpair()
        progress = _mapped(make_file(slots))
        self._theirs = theirs, heeded, progress
        self._hired.set()
        return Hired(1, ours, urgent, progress)

    def serve(self) -> None:
        """Be the child, until the supervisor ends."""
        self._hired.wait()
        if self._theirs is not None:
            connection, urgent, progress = self._theirs
            with connection, urgent:
                Child(
                    self._app, connection, urgent, progress, self._executor, on_orphaned=lambda: None
                ).serve()

    def news(self) -> Iterator[Exited]:
        return iter(())

    def kill(self, number: int) -> bool:
        del number
        return False

    def close(self) -> None:
        self._hired.set()


def _mapped(descriptor: int) -> Progress:
    try:
        return Progress(descriptor)
    finally:
        os.close(descriptor)


def _cause(status: int) -> str:
    """An exit status in words: negative for a signal."""
    if status >= 0:
        return f"its process ended with exit code {status}"
    name = signal.Signals(-status).name
    return f"its process was ended by {name}"
