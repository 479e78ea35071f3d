"""Stands before a server of any protocol and cuts its connections when a test says so."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_CHUNK = 64 * 1024


class CuttingProxy:
    """Passes bytes both ways between those who connect to `port` and a server behind it.

    Args:
        behind: The server's host and port.
    """

    def __init__(self, behind: tuple[str, int]) -> None:
        self._behind = behind
        self._is_cut = False
        self._open: list[socket.socket] = []
        self._changing = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End all connections, and each new one at once."""
        with self._changing:
            self._is_cut = True
            cut, self._open = self._open, []
        for end in cut:
            _end(end)

    def mend(self) -> None:
        """Let new connections through."""
        with self._changing:
            self._is_cut = False

    def close(self) -> None:
        self.cut()
        _end(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        with self._changing:
            if self._is_cut:
                client.close()
                return
            server = socket.create_connection(self._behind)
            self._open += [client, server]
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=_pass_on, args=(source, target), daemon=True).start()


@contextlib.contextmanager
def cutting_proxy(host: str, port: int) -> Iterator[CuttingProxy]:
    """Run one before a server."""
    proxy = CuttingProxy((host, port))
    try:
        yield proxy
    finally:
        proxy.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError), source:
        while data := source.recv(_CHUNK):
            target.sendall(data)
    _end(target)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):  # ended already
        end.shutdown(socket.SHUT_RDWR)
