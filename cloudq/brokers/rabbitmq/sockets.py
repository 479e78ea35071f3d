"""A socket on which one thread reads while others write, with TLS or without."""

from __future__ import annotations

import contextlib
import socket
import ssl
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from threading import Lock
from typing import Final

from cloudq.brokers.rabbitmq.urls import Address
from cloudq.clock import Clock
from cloudq.errors import BrokerUnavailableError, ConfigurationError

__all__ = ["Wire", "dial"]

_CHUNK: Final = 262_144
_WAITING = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def dial(address: Address, clock: Clock) -> Wire:
    """Connect.

    Raises:
        BrokerUnavailableError: Nobody answers there, or not in time.
        ConfigurationError: The server's certificate isn't trusted, or `ca` can't be read.
    """
    try:
        plain = socket.create_connection((address.host, address.port), timeout=address.timeout)
    except OSError as error:
        raise BrokerUnavailableError(
            f"RabbitMQ at {address} can't be reached ({error}): does it run, and is broker_url right?"
        ) from error
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not address.has_tls:
        return Wire(plain, address, clock)
    try:
        return Wire(_context(address).wrap_socket(plain, server_hostname=address.host), address, clock)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise ConfigurationError(
            f"RabbitMQ at {address} has a certificate that isn't trusted ({error.verify_message}): name its "
            "authority's file with ?ca=PATH."
        ) from error
    except OSError as error:
        plain.close()
        raise BrokerUnavailableError(
            f"No TLS connection to RabbitMQ at {address} came about ({error}): does this port speak TLS?"
        ) from error


def _context(address: Address) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=address.ca)
    except OSError as error:
        raise ConfigurationError(f"broker_url's ca={address.ca} can't be read: {error}.") from error


class Wire:
    """A connected socket, non-blocking.

    Args:
        sock: The socket.
        address: Where it leads, for errors' texts and for its timeout.
        clock: Time.
    """

    def __init__(self, sock: socket.socket, address: Address, clock: Clock) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._address = address
        self._clock = clock
        self._writing = Lock()  # for as long as one message takes, so that none is written into another
        self._calling = Lock()  # OpenSSL can't read and write at the same moment
        self._alarm, self._bell = socket.socketpair()
        self._alarm.setblocking(False)
        self._bell.setblocking(False)
        self._readable = DefaultSelector()
        self._readable.register(sock, EVENT_READ)
        self._readable.register(self._alarm, EVENT_READ)

    def read(self, timeout: float) -> bytes | None:
        """What has come, after `timeout` seconds or a `wake` perhaps nothing; None at the stream's end."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return self._read()
        ready = self._readable.select(max(0.0, timeout))
        if any(key.fileobj is self._alarm for key, _ in ready):
            with contextlib.suppress(BlockingIOError):
                self._alarm.recv(_CHUNK)
        return self._read() if any(key.fileobj is self._socket for key, _ in ready) else b""

    def _read(self) -> bytes | None:
        with self._calling:
            try:
                return self._socket.recv(_CHUNK) or None
            except _WAITING:
                return b""

    def wake(self) -> None:
        """Let a `read` under way return."""
        with contextlib.suppress(OSError):
            self._bell.send(b"\0")

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            BrokerUnavailableError: The server took none of it for too long.
            OSError: The connection is broken.
        """
        with self._writing:
            left = memoryview(data)
            while left:
                left = left[self._write(left) :]

    def _write(self, data: memoryview) -> int:
        with self._calling:
            try:
                return self._socket.send(data)
            except _WAITING:
                pass
        with DefaultSelector() as writable:
            writable.register(self._socket, EVENT_WRITE)
            if not writable.select(self._clock.real(self._address.timeout)):
                raise BrokerUnavailableError(
                    f"RabbitMQ at {self._address} has read nothing for {self._address.timeout:g} s: is it "
                    "short of memory or disk?"
                )
        return 0

    def close(self) -> None:
        """Let go of it; the thread that reads does it, or whoever knows that none does."""
        self._readable.close()
        for one in (self._socket, self._alarm, self._bell):
            one.close()
