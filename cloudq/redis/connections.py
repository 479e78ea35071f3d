"""This process's connections to one server: as many as are used at once."""

from __future__ import annotations

import select
import socket
from collections import deque
from typing import Any, Protocol, cast

from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from cloudq.processes import PerProcess
from cloudq.redis.address import Address
from cloudq.redis.failures import Failures

__all__ = ["Connection", "Connections", "cut", "write"]


class Connection(Protocol):
    """What is used of redis-py's connections."""

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def send_packed_command(self, command: list[bytes], *, check_health: bool = True) -> None: ...

    def read_response(self) -> Any: ...

    def can_read(self, timeout: float = 0) -> bool: ...


class Connections:
    """A stack of connections that nobody uses at the moment. Thread-safe, and safe to fork with.

    Args:
        address: To where.
        failures: What to raise.
    """

    def __init__(self, address: Address, failures: Failures) -> None:
        self._address = address
        self._failures = failures
        # A forked child's copies are its parent's; redis-py leaves those open for it when they are dropped.
        self._free_here: PerProcess[deque[Connection]] = PerProcess(deque)

    def take(self) -> Connection:
        """A connection for the caller alone, who gives it back or disconnects it.

        Raises:
            CloudqError: The server can't be reached or refuses the credentials.
        """
        free = self._free_here.get()
        while True:
            try:
                connection = free.pop()
            except IndexError:
                return self.connect()
            if not _is_stale(connection):
                return connection
            connection.disconnect()

    def give_back(self, connection: Connection) -> None:
        """Let others use it; every answer must have been read."""
        self._free_here.get().append(connection)

    def close(self) -> None:
        """Disconnect those that nobody uses."""
        free = self._free_here.get()
        while free:
            free.pop().disconnect()

    def connect(self) -> Connection:
        """A new connection. Raises as `take` does."""
        connection = cast("Connection", self._address.connection())
        try:
            connection.connect()
        except (AuthenticationError, BusyLoadingError, ResponseError) as error:
            raise self._failures.refused(self._address.shown, error) from error
        except (RedisError, OSError) as error:
            raise self._failures.unreachable(self._address.shown, error) from error
        return connection


def cut(connection: Connection) -> None:
    """End what another thread waits for on it."""
    if (channel := _socket(connection)) is not None:
        try:
            channel.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is cut already


def write(connection: Connection, packed: bytes) -> None:
    """Send while another thread reads: unlike redis-py's own, it doesn't disconnect on an error.

    Raises:
        OSError: It couldn't be sent.
    """
    if (channel := _socket(connection)) is None:
        raise ConnectionResetError("disconnected")
    channel.sendall(packed)


def _is_stale(connection: Connection) -> bool:
    """Whether the server has closed it: it can be read from though nothing was asked."""
    channel = _socket(connection)
    if channel is None:
        return True
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(0))


def _socket(connection: Connection) -> socket.socket | None:
    return cast(
        "socket.socket | None", getattr(connection, "_sock", None)
    )  # redis-py has no public way to it
