"""Kept-alive connections to one server, shared by threads: each carries one request at a time."""

from __future__ import annotations

import http.client
import select
import socket
from collections import deque
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cloudq.processes import PerProcess

__all__ = ["BrokenError", "Connections", "UnreachableError"]

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
"""Seconds; a long poll is silent for 20 of them."""
KEPT = 64
"""Idle connections: a long poll for each queue, and senders beside them."""


class UnreachableError(Exception):
    """No connection could be made: the request was surely not sent."""


class BrokenError(Exception):
    """The connection broke before an answer came: what was asked for may have been done."""


class Connections:
    """Connections to one server. Thread-safe, and made anew in a forked child.

    Args:
        endpoint: `https://host[:port]`, or `http://`.
        ca_bundle: A file or folder of certificates to trust; None for the usual ones.
    """

    def __init__(self, endpoint: str, ca_bundle: str | None = None) -> None:
        parts = urlsplit(endpoint)
        self._is_tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._ca_bundle = ca_bundle
        self._context: Any = None
        self._idle = PerProcess(deque[http.client.HTTPConnection])

    def post(self, headers: Mapping[str, str], payload: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Make one request.

        Returns:
            The status, the headers by name in any case, the body.

        Raises:
            UnreachableError: It was not sent.
            BrokenError: It may have been received.
        """
        connection = self._kept() or self._connected()
        try:
            connection.request("POST", "/", payload, headers)
            response = connection.getresponse()
            answer = response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise BrokenError(f"{type(error).__name__}: {error}") from error
        except BaseException:  # interrupted: half an answer may be in it
            connection.close()
            raise
        self._keep(connection)
        return answer  # pyright: ignore[reportReturnType] - Message is a mapping, whatever typeshed calls it

    def close(self) -> None:
        """Let go of idle connections."""
        idle = self._idle.get()
        while idle:
            idle.pop().close()

    def _kept(self) -> http.client.HTTPConnection | None:
        idle = self._idle.get()
        while True:
            try:
                connection = idle.pop()  # the one used last, which is the least likely to have been closed
            except IndexError:
                return None
            if connection.sock is not None and not _is_readable(connection.sock):
                return connection
            connection.close()  # the server has closed it, which is all it can say while nothing was asked

    def _keep(self, connection: http.client.HTTPConnection) -> None:
        idle = self._idle.get()
        if connection.sock is None or len(idle) >= KEPT:
            connection.close()
        else:
            idle.append(connection)

    def _connected(self) -> http.client.HTTPConnection:
        connection = self._made()
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise UnreachableError(f"{type(error).__name__}: {error}") from error
        connection.sock.settimeout(READ_TIMEOUT)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return connection

    def _made(self) -> http.client.HTTPConnection:
        if not self._is_tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_TIMEOUT)
        if self._context is None:
            self._context = _trust(self._ca_bundle)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=CONNECT_TIMEOUT, context=self._context
        )


def _is_readable(sock: socket.socket) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _trust(ca_bundle: str | None) -> Any:
    import ssl

    given = Path(ca_bundle) if ca_bundle else _usual()
    if given is None:
        return ssl.create_default_context()
    if given.is_dir():
        return ssl.create_default_context(capath=str(given))
    return ssl.create_default_context(cafile=str(given))


def _usual() -> Path | None:
    """What boto3 trusts, where it is installed; else None, for what the system does."""
    for package in ("certifi", "botocore"):  # found, not imported
        spec = find_spec(package)
        if spec is not None and spec.origin and (bundle := Path(spec.origin).parent / "cacert.pem").is_file():
            return bundle
    return None
