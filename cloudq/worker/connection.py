"""The supervisor's end of a child's connection: never blocks, keeps what couldn't be written yet."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

from cloudq.worker.frames import Reader, pack

__all__ = ["Connection"]

_CHUNK = 256 * 1024


class Connection:
    """Frames to and from one child.

    Args:
        socket: The supervisor's end.
    """

    def __init__(self, socket: socket.socket) -> None:
        socket.setblocking(False)
        self.socket = socket
        self.was_heard = False
        """Whether the child has ever said anything."""
        self.is_broken = False
        """Whether the other end is gone; what there was to be read has been."""
        self._reader = Reader()
        self._unwritten = bytearray()

    def send(self, *words: Any) -> None:
        """Say something; it leaves with the next `flush`."""
        self._unwritten += pack(*words)

    def flush(self) -> bool:
        """Write what the socket takes; tells whether something is left."""
        while self._unwritten and not self.is_broken:
            try:
                sent = self.socket.send(self._unwritten)
            except BlockingIOError:
                return True
            except OSError:
                self.is_broken = True
                return False
            del self._unwritten[:sent]
        return False

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
