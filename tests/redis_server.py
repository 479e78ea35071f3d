"""Where tests find a Redis server, or start one of their own, and how they make its brokers' time pass."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from cloudq.clock import FakeClock
from cloudq.testing.steps import until
from tests.needs import missing, need_program

URL = os.environ.get("CLOUDQ_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


class QuickClock(FakeClock):
    """A fake clock that waits for no real second: what blocks looks at it every few milliseconds."""

    def real(self, seconds: float) -> float:
        return min(seconds, 0.005)


@contextmanager
def redis_url() -> Iterator[str]:
    """A prefix of a test's own; its keys are deleted afterwards."""
    client = redis.Redis.from_url(URL, socket_connect_timeout=2)
    try:
        client.ping()
    except redis.ConnectionError as error:
        missing(f"no Redis at {URL} (CLOUDQ_TEST_REDIS_URL names another): {error}")
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield f"{URL}?prefix={prefix}"
    finally:
        if keys := list(client.scan_iter(f"{prefix}:*", count=1000)):
            client.unlink(*keys)
        client.close()


def shorten_lives(url: str, seconds: float) -> None:
    """Let what expires under a test's prefix do so earlier."""
    address, _, prefix = url.partition("?prefix=")
    with redis.Redis.from_url(address) as client:
        for key in client.scan_iter(f"{prefix}:*", count=1000):
            left = client.pttl(key)
            if left >= 0:
                client.pexpire(key, max(0, left - round(seconds * 1000)))


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RedisServer:
    """A server of a test's own, which it may kill; it writes each change to disk before it answers.

    Args:
        folder: Where its files are.
        options: Of redis.conf.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        need_program("redis-server")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port, socket_timeout=10)
        self._options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(folder),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        self._folder = folder
        self.start(**options)

    def start(self, *, awaits_data: bool = True, **options: str) -> None:
        """Start it, again where it was killed, and wait until it answers; or only until it listens."""
        self._options.update({name.replace("_", "-"): value for name, value in options.items()})
        words = [word for name, value in self._options.items() for word in (f"--{name}", value)]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(["redis-server", *words], stdout=log, stderr=log)
        try:
            until(lambda: self._answers(awaits_data=awaits_data), "answer of redis-server")
        except BaseException:
            self.kill()
            raise

    def _answers(self, *, awaits_data: bool) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                said = connection.recv(100)
                is_reading = said.startswith(b"-LOADING")
                return bool(said) and not (is_reading and awaits_data)
        except OSError:
            return False

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.client.close()
        if self._process.poll() is None:
            self.kill()
