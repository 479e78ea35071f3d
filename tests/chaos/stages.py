"""Where a chaos run plays: brokers of its own, which it may kill and start again, with all that they hold."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cloudq.brokers.rabbitmq import connect, delays
from cloudq.clock import SystemClock
from cloudq.queues import Queue
from tests.redis_server import free_port
from tests.waiting import wait_until

PATIENCE = 60.0


class Stage(Protocol):
    """A broker for one run.

    `environment` is what programs find it by; `can_be_killed` says whether it is a process at all.
    """

    environment: Mapping[str, str]
    can_be_killed: bool
    is_ordered: bool

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


class SqliteStage:
    """A file: there is no process but the workers' own, which write it."""

    can_be_killed = False
    is_ordered = True

    def __init__(self, folder: Path) -> None:
        self.environment = {"CLOUDQ_BROKER_URL": f"sqlite:///{folder / 'queue.db'}"}

    def start(self) -> None:
        pass

    def kill(self) -> None:
        raise AssertionError("a file can't be killed")

    def close(self) -> None:
        pass


class _ServerStage:
    """A server in a process group of its own."""

    can_be_killed = True
    is_ordered = True
    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment: Mapping[str, str] = {}

    def _run(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        wait_until(self._is_up, f"{command[0]} is up", PATIENCE)

    def _is_up(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


class SqsStage(_ServerStage):
    """The emulator, which keeps its queues on disk."""

    def __init__(self, folder: Path, faults: Mapping[str, float] | None = None, seed: int = 0) -> None:
        super().__init__(folder)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "CLOUDQ_BROKER_URL": f"sqs://eu-west-1?endpoint={self.endpoint}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-1",
        }
        self._faults, self._seed = dict(faults or {}), seed
        self.hits: dict[str, int] = {}

    def start(self) -> None:
        data = str(self.folder / "emulator")
        self._run(
            [sys.executable, "-m", "cloudq_emulator.cli", "--port", str(self.port), "--data", data],
            {"PYTHONPATH": os.pathsep.join(["emulator", os.environ.get("PYTHONPATH", "")])},
        )
        for kind, probability in self._faults.items():
            order = {"kind": kind, "service": "sqs", "probability": probability, "seed": self._seed}
            if kind == "latency":
                order["seconds"] = 0.2
            self._control("POST", "/_cloudq/faults", order)

    def kill(self) -> None:
        self._count_hits()
        super().kill()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._count_hits()
        super().close()

    def _is_up(self) -> bool:
        try:
            self._control("GET", "/_cloudq/health")
        except OSError:
            return False
        return True

    def _count_hits(self) -> None:
        if self._faults:
            for fault in self._control("GET", "/_cloudq/faults")["faults"]:
                self.hits[fault["kind"]] = self.hits.get(fault["kind"], 0) + fault["hits"]

    def _control(self, method: str, path: str, content: object = None) -> dict:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)


class RedisStage(_ServerStage):
    """A Redis server that writes each change to disk before it answers."""

    program = "redis-server"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.environment = {"CLOUDQ_BROKER_URL": f"redis://127.0.0.1:{self.port}/0"}

    def start(self) -> None:
        options = {"port": str(self.port), "dir": str(self.folder), "save": "", "bind": "127.0.0.1"}
        options |= {"appendonly": "yes", "appendfsync": "always"}
        self._run([self.program, *[word for key, value in options.items() for word in (f"--{key}", value)]])

    def _is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(100).startswith(b"+PONG")
        except OSError:
            return False


class RabbitStage(_ServerStage):
    """A RabbitMQ node of its own: name, ports and folder.

    Args:
        folder: Where it keeps everything.
        queue_type: `quorum` or `classic`.
    """

    program = "rabbitmq-server"
    is_ordered = False
    debian = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    """The server itself: Debian's command would run it as another user, in another folder."""

    def __init__(self, folder: Path, queue_type: str) -> None:
        super().__init__(folder)
        url = f"amqp://guest:guest@127.0.0.1:{self.port}/?queue_type={queue_type}"
        self.environment = {"CLOUDQ_BROKER_URL": url}
        self._node = f"chaos{self.port}@localhost"
        self._has_queues = False
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")

    def start(self) -> None:
        self._run(
            [str(self.debian) if self.debian.exists() else self.program],
            {
                "HOME": str(self.folder),
                "RABBITMQ_NODENAME": self._node,
                "RABBITMQ_NODE_PORT": str(self.port),
                "RABBITMQ_DIST_PORT": str(free_port()),
                "RABBITMQ_MNESIA_BASE": str(self.folder),
                "RABBITMQ_LOG_BASE": str(self.folder),
                "RABBITMQ_PID_FILE": str(self.folder / "pid"),
                "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            },
        )
        if not self._has_queues:
            self._declare_queues()

    def _declare_queues(self) -> None:
        """RabbitMQ writes down a little later which quorum queues it has; a kill before breaks them.

        A delay's queues are made after the queue itself, and the broker waits until they are written down.
        """
        broker = connect(self.environment["CLOUDQ_BROKER_URL"], clock=SystemClock())
        broker.declare(Queue("default"))
        shortest = (1 << 8) - 1  # the levels of short retries, all at once
        broker._links.get().topology.declare_delay("default", shortest * delays.UNIT_MS / 1000)
        broker.close()
        self._has_queues = True

    def _is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.settimeout(2)
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(1))
        except OSError:
            return False


PROGRAMS = {
    "redis": RedisStage.program,
    "rabbitmq": RabbitStage.program,
    "rabbitmq-classic": RabbitStage.program,
}
"""What a broker's stage runs, and the machine has to have."""
