"""A RabbitMQ node of a test's own, to be killed and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
PATIENCE = 90.0


class Node:
    """A node with its own name, ports and folder. It listens on loopback alone."""

    def __init__(self, folder: Path) -> None:
        if not (SCRIPTS / "rabbitmq-server").exists():
            if os.environ.get("CLOUDQ_REQUIRE_SERVICES"):
                pytest.fail(f"no rabbitmq-server in {SCRIPTS}")
            pytest.skip(f"no rabbitmq-server in {SCRIPTS} to start a node of")
        self.port, distribution = _free_ports(2)
        self._folder = folder
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nvm_memory_high_watermark.relative = 0.6\n"
            "disk_free_limit.absolute = 1MB\n"
        )
        (folder / "plugins").write_text("[].\n")
        (folder / "environment").touch()
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"cloudq-test-{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> None:
        with (self._folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [SCRIPTS / "rabbitmq-server"],
                env=self._environ, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "out").read_text()[-2000:]
            assert time.monotonic() < until, "the node doesn't start"
            time.sleep(0.1)

    def kill(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def control(self, *command: str) -> None:
        subprocess.run(
            [SCRIPTS / "rabbitmqctl", "-n", self._environ["RABBITMQ_NODENAME"], "-q", *command],
            env=self._environ, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE,
        )  # fmt: skip

    def end(self) -> None:
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        """Whether it says what a server says first."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as one:
            one.settimeout(5)
            one.sendall(b"AMQP\x00\x00\x09\x01")
            return bool(one.recv(1))
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
