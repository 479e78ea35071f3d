"""The supervisor's end of a child's connection: never blocks, keeps what couldn't be written yet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from cloudq.worker.frames import Reader, pack

__all__ = ["Connection"]

_CHUNK = 64 * 1024
"""As a child's `inbox` asks for, for the same reason."""


class Connection:
    """Frames to and from one child.

    Args:
        socket: The supervisor's end.
        urgent: The same of what passes by all that waits in the other.
    """

    def __init__(self, socket: socket.socket, urgent: socket.socket) -> None:
        self.socket = socket
        self.was_heard = False
        """Whether the child has ever said anything."""
        self.is_broken = False
        """Whether the other end is gone; what there was to be read has been."""
        self._reader = Reader()
        self._usual, self._urgent = _Outbox(socket), _Outbox(urgent)

    def send(self, *words: Any) -> None:
        """Say something; it leaves with the next `flush`."""
        self._usual.unwritten += pack(*words)

    def send_urgent(self, *words: Any) -> None:
        """Say something that is heard whatever the child does; it leaves with the next `flush`."""
        self._urgent.unwritten += pack(*words)

    def flush(self) -> bool:
        """Write what the sockets take; tells whether something is left."""
        if self._urgent.unwritten:
            self._urgent.flush()
        self._usual.flush()
        return bool(self._usual.unwritten or self._urgent.unwritten)

    def read(self) -> Iterator[tuple[Any, ...]]:
        """What the child has said since the last time."""
        yield from self._reader.feed(self._receive())

    def drain(self) -> Iterator[tuple[Any, ...]]:
        """Everything that a child said before its end."""
        while data := self._receive():
            yield from self._reader.feed(data)

    def _receive(self) -> bytes:
        if self.is_broken:
            return b""
        try:
            data = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        self.is_broken = not data
        self.was_heard = self.was_heard or bool(data)
        return data

    def close(self) -> None:
        """Let go of it."""
        self.socket.close()
        self._urgent.socket.close()


class _Outbox:
    def __init__(self, socket: socket.socket) -> None:
        socket.setblocking(False)
        self.socket = socket
        self.unwritten = bytearray()

    def flush(self) -> None:
        try:
            while self.unwritten:
                del self.unwritten[: self.socket.send(self.unwritten)]
        except BlockingIOError:
            pass
        except OSError:
            self.unwritten.clear()  # the other end is gone, which is found out by reading what it said last
