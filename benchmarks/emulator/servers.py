"""The servers that are compared, each a process of its own on a free port."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from benchmarks.processes import running
from benchmarks.wire import Address, Wire
from cloudq.clock import SystemClock

_START: Final = 60.0
"""Seconds a server has to come up."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server.

    Args:
        name: What the tables call it.
        address: Where it listens.
        pid: Its process.
        keeps_messages: False for the one that only pretends.
    """

    name: str
    address: Address
    pid: int
    keeps_messages: bool = True

    @property
    def host(self) -> str:
        """What clients put into the Host header."""
        return f"{self.address[0]}:{self.address[1]}"

    def ask(self, request: bytes) -> bytes:
        """Ask something that isn't measured.

        Raises:
            RuntimeError: It was refused.
        """
        wire = Wire(self.address)
        try:
            answer = wire.exchange(request)
        finally:
            wire.close()
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{self.name} refused: {answer.decode()}")
        return answer


@contextmanager
def cloudq(*options: str) -> Iterator[Server]:
    """Ours, as `cloudq emulate` starts it."""
    with running([sys.executable, "-m", "cloudq_emulator.cli", "--port", "0", "--json", *options]) as process:
        port = urlsplit(json.loads(_first_line(process))["endpoint"]).port
        yield Server("cloudq", ("127.0.0.1", port or 0), process.pid)


@contextmanager
def moto() -> Iterator[Server]:
    """moto_server, as its documentation starts it."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, stderr=subprocess.DEVNULL) as process:
        address = ("127.0.0.1", port)
        _await(address)
        yield Server("moto_server", address, process.pid)


@contextmanager
def bare() -> Iterator[Server]:
    """The one that answers a constant."""
    with running([sys.executable, "-m", "benchmarks.emulator.bare"]) as process:
        port = json.loads(_first_line(process))["port"]
        yield Server("bare asyncio", ("127.0.0.1", port), process.pid, keeps_messages=False)


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - `running` pipes it
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args} did not start")
    return line


def _await(address: Address) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + _START
    while True:
        try:
            socket.create_connection(address, 1.0).close()
        except OSError:
            if clock.monotonic() > deadline:
                raise
            clock.sleep(0.05)
        else:
            return
