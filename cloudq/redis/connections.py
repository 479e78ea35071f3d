"""This process's connections to one server: as many as are used at once."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections import deque
from typing import Any

from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from cloudq.processes import PerProcess
from cloudq.redis.address import Address
from cloudq.redis.failures import Failures
from cloudq.redis.replies import Replies

__all__ = ["Connection", "Connections"]


class Connection:
    """One connection: redis-py makes and ends it; in between bytes go straight through its socket.

    Args:
        driver: redis-py's, connected.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._socket: socket.socket = driver._sock  # noqa: SLF001 - redis-py has no public way to it
        self._replies = Replies(self._socket.recv)
        self.read = self._replies.read
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self.send = self._socket.sendall

    def can_read(self, seconds: float = 0.0) -> bool:
        """Whether something comes within `seconds`: an answer, or the connection's end."""
        return self._replies.has_some or self._is_deciphered() or bool(self._poll.poll(seconds * 1000))

    def cut(self) -> None:
        """End what another thread waits for on it."""
        with contextlib.suppress(OSError):  # it is cut already
            self._socket.shutdown(socket.SHUT_RDWR)

    def _is_deciphered(self) -> bool:
        """Whether TLS has taken bytes off the wire that nobody has read: polling doesn't see those."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def disconnect(self) -> None:
        """Let go of it."""
        self._driver.disconnect()


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
            if not connection.can_read():
                return connection  # else the server has closed it: nothing was asked
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
        driver = self._address.connection()
        try:
            driver.connect()
        except (AuthenticationError, BusyLoadingError, ResponseError) as error:
            raise self._failures.refused(self._address.shown, error) from error
        except (RedisError, OSError) as error:
            raise self._failures.unreachable(self._address.shown, error) from error
        return Connection(driver)
