"""An emulator in a process of its own, as tests hold it.

| | |
|---|---|
| `running` | starts one and stops it |
| `Emulator` | its endpoint, its clients, what it counted |
| `Clock`, `Faults` | its clock and its faults, over the control API |

A process, not a thread: moto's patches, its warnings and the garbage collector's settings stay out of the
tests' process, and what a test does to time or to moto stays out of the emulator. Neither slows the other.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import urllib.parse
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT: Final = 60.0
"""Seconds that an answer of the control API may take."""
_STOP_SECONDS: Final = 10.0


class EmulatorError(RuntimeError):
    """The emulator didn't start, or refused what the control API was asked; the text says why."""


class Emulator:
    """A running emulator.

    Args:
        endpoint_url: Where it listens.
        clock_path: The file by which apps follow its clock.
    """

    def __init__(self, endpoint_url: str, clock_path: str = "") -> None:
        self.endpoint_url = endpoint_url
        self.clock_path = clock_path
        self.clock = Clock(self)
        self.faults = Faults(self)
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str | None = None, **options: Any) -> Any:
        """A boto3 client of `service`, with credentials that need not be anybody's.

        Making one is slow, and so one without `options` is kept and handed out again.

        Args:
            service: As boto3 calls it: ``sqs``.
            region: The region; the environment's unless given, us-east-1 where it has none.
            options: Whatever else `boto3.client` takes.
        """
        region = region or environment.region()
        if options:
            return self._make_client(service, region, options)
        kept = self._clients.get((service, region))
        if kept is None:
            kept = self._clients[service, region] = self._make_client(service, region, {})
        return kept

    def requests(self) -> list[dict[str, Any]]:
        """How many requests there were, by service, operation, queue and status."""
        return self.ask("GET", "/_cloudq/requests")["requests"]

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """Look at a queue's messages, the oldest 100, without receiving them."""
        return self.ask("GET", f"/_cloudq/queues/{queue}/messages")["messages"]

    def reset(self) -> None:
        """Empty everything, take all faults away, go back to real time."""
        self.ask("POST", "/_cloudq/reset")

    def ask(self, method: str, path: str, content: object = None) -> dict[str, Any]:
        """Ask the control API.

        Raises:
            EmulatorError: It refused.
        """
        address = urllib.parse.urlsplit(self.endpoint_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_TIMEOUT)
        with contextlib.closing(connection):
            connection.request(method, path, None if content is None else json.dumps(content))
            response = connection.getresponse()
            answer = json.loads(response.read())
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise EmulatorError(answer.get("error") or answer.get("message"))
        return answer

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _make_client(self, service: str, region: str, options: dict[str, Any]) -> Any:
        import boto3

        # A session of its own: the default one may have been made with somebody's real credentials.
        session = boto3.Session(environment.KEY, environment.KEY, region_name=region)
        return session.client(service, **{"endpoint_url": self.endpoint_url, **options})


class Clock:
    """The emulator's clock; each move returns the time that it is then."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def now(self) -> datetime:
        """The time there, in UTC."""
        return _instant(self._emulator.ask("GET", "/_cloudq/clock"))

    def advance(self, seconds: float | timedelta) -> datetime:
        """Let `seconds` (>= 0) pass at once."""
        return self._move(advance=seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)

    def set(self, now: datetime) -> datetime:
        """Make it `now`, which must have a time zone; it may go back."""
        return self._move(set=now.isoformat())

    def freeze(self, frozen: bool = True) -> datetime:  # noqa: FBT001, FBT002 - freeze(False) is what people type
        """Stop it, or let it go on from where it stands."""
        return self._move(freeze=frozen)

    def scale(self, scale: float) -> datetime:
        """Let `scale` (> 0) seconds pass there for each real one."""
        return self._move(scale=scale)

    def _move(self, **order: object) -> datetime:
        return _instant(self._emulator.ask("POST", "/_cloudq/clock", order))


class Faults:
    """The faults that were ordered."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def add(self, kind: str, **fields: object) -> str:
        """Order a fault; returns its id.

        Args:
            kind: ``throttle``, ``error``, ``latency``, ``reset``, ``lost_response``, ``partial``,
                ``duplicate``, ``reorder``, ``expire_lease`` or ``kill_function``.
            fields: What it applies to and how: `service`, `operation`, `queue`, `count`, `probability`,
                `seconds`, `status`, `seed`.
        """
        return self._emulator.ask("POST", "/_cloudq/faults", {"kind": kind, **fields})["id"]

    def list(self) -> list[dict[str, Any]]:
        """All of them, each with how often it has struck (`hits`)."""
        return self._emulator.ask("GET", "/_cloudq/faults")["faults"]

    def remove(self, id: str) -> None:
        """Take one away."""
        self._emulator.ask("DELETE", f"/_cloudq/faults/{id}")

    def clear(self) -> None:
        """Take all away."""
        self._emulator.ask("DELETE", "/_cloudq/faults")


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Emulator]:
    """An emulator on a free port, until the block ends.

    Args:
        arguments: Further ones of ``cloudq emulate``, as ``--queue emails``.

    Raises:
        EmulatorError: It didn't start; what it wrote to stderr says why.
    """
    # -P: what lies in the current folder isn't what the emulator imports.
    command = [sys.executable, "-P", "-m", "cloudq_emulator.cli", "--port", "0", "--json", "--until-eof"]
    # A session of its own, or Ctrl-C would end the emulator before the tests that use it.
    with subprocess.Popen(
        [*command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment.inherited(),
        start_new_session=True,
    ) as process:
        try:
            told = _start_line(process)
            emulator = Emulator(told["endpoint"], told["clock"])
            with contextlib.closing(emulator):
                yield emulator
        finally:
            _stop(process)


def _start_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    line = process.stdout.readline()
    if not line:
        raise EmulatorError(f"The emulator ended with {process.wait()} at its start; its stderr says why.")
    return json.loads(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _instant(answer: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(answer["now"]).astimezone(UTC)
