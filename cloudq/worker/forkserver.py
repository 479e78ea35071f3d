"""The forkserver: imports the app once, tells the supervisor what is in it, and forks children.

On its control socket it answers with frames: `("snapshot", json)` or `("failed", text, traceback)` at first,
then `("forked", pid)` for each child that it is asked for, in order, and `("exited", pid, status)` for each
that ends. A child is forked while the process has a single thread; where importing the app has started
others, or the platform's libraries don't bear a fork (macOS), a child is a new process that imports the app
again.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import Any

from cloudq.app import App
from cloudq.config import module_settings
from cloudq.errors import AppImportError, ConfigurationError
from cloudq.loading import import_app
from cloudq.worker.child import Child
from cloudq.worker.executors import Executor
from cloudq.worker.executors.greenlets import check_gevent, run_greenlets, watch_supervisor
from cloudq.worker.executors.loop import run_loop
from cloudq.worker.executors.solo import run_solo
from cloudq.worker.executors.threads import run_threads
from cloudq.worker.frames import pack
from cloudq.worker.logs import set_up_logs
from cloudq.worker.progress import Progress
from cloudq.worker.snapshot import Snapshot

__all__ = ["FORK", "Program", "main", "open_app", "serve_child", "shape", "start_forkserver"]

FORK = b"f"
"""What the supervisor sends, with two sockets and the memory of its progress, for a child."""

EXECUTORS: Mapping[str, Executor] = {
    "prefork": run_solo,
    "solo": run_solo,
    "thread": run_threads,
    "asyncio": run_loop,
    "gevent": run_greenlets,
}
"""How the children of each pool run what they are given."""

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What a terminal sends to all of its processes; stopping is the supervisor's decision."""

_MODULE = "cloudq.worker.forkserver"  # which runs as __main__
_GREENLET_CHILD = "cloudq.worker.greenlet_child"
_CHILD, _SERVER = "child", "server"
_DESCRIPTORS = 3
"""That a child is given: two sockets and a memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a worker's processes run.

    Args:
        app: `module` or `module:attribute`.
        overrides: What the command line sets.
        config: A module of settings; None where there is none.
        processes: Children among which a pool of threads, coroutines or greenlets shares them.
        name: What the worker is called in its logs.
        log_level: The lowest that is logged.
        has_json_logs: Whether they are JSON.
    """

    app: str
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    config: str | None = None
    processes: int = 1
    name: str = ""
    log_level: str = "INFO"
    has_json_logs: bool = False

    def command(self, role: str, *descriptors: int, module: str = _MODULE) -> list[str]:
        """The command line of one of its processes."""
        return [sys.executable, "-m", module, role, json.dumps(asdict(self)), *map(str, descriptors)]


_WAITING = 100
"""Coroutines or greenlets, where no number is said: they wait, and cost little."""


def shape(pool: str, concurrency: int | None, processes: int) -> tuple[int, int]:
    """How many children a pool has, and how many messages each runs at once."""
    cores = os.cpu_count() or 1
    match pool:
        case "prefork":
            return concurrency or cores, 1
        case "thread":
            return processes, max(1, (concurrency or cores) // processes)
        case "asyncio" | "gevent":
            return processes, max(1, (concurrency or _WAITING) // processes)
        case _:
            return 1, 1


def start_forkserver(program: Program) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start one; its process and the supervisor's end of its control socket."""
    ours, theirs = socket.socketpair()
    # Ctrl-C reaches the whole process group, and is the supervisor's business from the first moment on.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with theirs:
            process = subprocess.Popen(program.command(_SERVER, theirs.fileno()), pass_fds=[theirs.fileno()])
    finally:
        signal.signal(signal.SIGINT, before)
    return process, ours


def open_app(program: Program) -> App:
    """Import the app and set what the command line and the configuration file say.

    Raises:
        ConfigurationError: There is no app, or a setting is wrong.
        AppImportError: The app's module raised.
    """
    app = import_app(program.app)
    if program.config:
        app.conf.use_file(module_settings(program.config))
    app.conf.update("command line", program.overrides)
    return app


def serve_child(app: App, connection: socket.socket, urgent: socket.socket, progress: Progress) -> None:
    """Be a child, to the process's end."""
    os.register_at_fork(after_in_child=_heed_signals)
    # By the line, so that what a task prints is seen though its process is killed.
    sys.stdout = io.TextIOWrapper(
        sys.stdout.buffer, sys.stdout.encoding, sys.stdout.errors, line_buffering=True
    )
    pool = app.conf.settings.worker_pool
    executor = EXECUTORS[pool]
    if pool == "gevent":
        watch_supervisor(connection)
    Child(
        app,
        connection,
        urgent,
        progress,
        executor,
        on_orphaned=lambda: os._exit(0),
        max_memory_kib=app.conf.settings.worker_max_memory_per_child,
    ).serve()
    logging.shutdown()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


class _Forkserver:
    def __init__(self, app: App, control: socket.socket, program: Program) -> None:
        self._app = app
        self._control = control
        self._program = program
        self._children: set[int] = set()
        self._is_patched = app.conf.settings.worker_pool == "gevent"

    def serve(self) -> None:
        wake_in, wake_out = socket.socketpair()
        for end in (wake_in, wake_out):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, _nothing)
        with wake_in, wake_out:
            signal.set_wakeup_fd(wake_out.fileno())
            # Broken: the supervisor was killed, with something of ours unread.
            with contextlib.suppress(ConnectionError):
                self._serve(wake_in)
            signal.set_wakeup_fd(-1)
        self._see_off()

    def _serve(self, wake_in: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(wake_in, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is wake_in:
                        wake_in.recv(4096)
                        self._reap()
                    elif not self._answer():
                        return

    def _answer(self) -> bool:
        word, descriptors, _, _ = socket.recv_fds(self._control, 1, _DESCRIPTORS)
        if word != FORK or len(descriptors) != _DESCRIPTORS:
            return False
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        pid = self._spawn(descriptors) if self._must_spawn() else self._fork(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self._children.add(pid)
        self._control.sendall(pack("forked", pid))
        return True

    def _fork(self, descriptors: Sequence[int]) -> int:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            serve_child(self._app, *_taken(*descriptors))
        return pid

    def _spawn(self, descriptors: Sequence[int]) -> int:
        module = _GREENLET_CHILD if self._is_patched else _MODULE
        command = self._program.command(_CHILD, *descriptors, module=module)
        return subprocess.Popen(command, pass_fds=descriptors).pid

    def _must_spawn(self) -> bool:
        return self._is_patched or sys.platform == "darwin" or threading.active_count() > 1

    def _see_off(self) -> None:
        """The supervisor has closed: its children find that out by themselves, and end."""
        for pid in self._children:
            os.waitpid(pid, 0)

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._children.discard(pid)
                self._control.sendall(pack("exited", pid, os.waitstatus_to_exitcode(status)))


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """For SIGCHLD, which wakes the loop by the wakeup descriptor, and for what is to be passed over."""


def _pass_over_signals() -> None:
    """Stopping is the supervisor's decision. By a handler: ignoring is inherited by what a task starts."""
    for number in _STOPS:
        signal.signal(number, _nothing)


def _heed_signals() -> None:
    for number in _STOPS:
        signal.signal(number, signal.SIG_DFL)


def _taken(connection: int, urgent: int, memory: int) -> tuple[socket.socket, socket.socket, Progress]:
    progress = Progress(memory)
    os.close(memory)
    return socket.socket(fileno=connection), socket.socket(fileno=urgent), progress


def main(role: str, text: str, *descriptors: str) -> None:
    """Be one of a worker's processes, with the role and the descriptors that `Program.command` says."""
    _pass_over_signals()
    program = Program(**json.loads(text))
    for descriptor in descriptors:
        os.set_inheritable(int(descriptor), False)
    connection = socket.socket(fileno=int(descriptors[0]))
    set_up_logs(program.log_level, is_json=program.has_json_logs, worker=program.name)
    try:
        app = open_app(program)
        snapshot = Snapshot.of(app)
        if snapshot.settings["worker_pool"] == "gevent":
            check_gevent()
    except AppImportError as error:
        connection.sendall(pack("failed", str(error), error.traceback))
        return
    except ConfigurationError as error:
        connection.sendall(pack("failed", str(error), None))
        return
    if role == _CHILD:
        serve_child(app, *_taken(connection.detach(), *map(int, descriptors[1:])))
    gc.freeze()  # what is shared with the children stays shared
    connection.sendall(pack("snapshot", snapshot.to_json()))
    _Forkserver(app, connection, program).serve()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the supervisor was killed while this one started
        main(*sys.argv[1:])
