"""A raw HTTP/1.1 client: prebuilt bytes out, whole answers in, one request at a time on each connection.

It does as little as it can, so that what is measured is the server: no signing, no pool, and nothing parsed
but an answer's length.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Generator
from typing import Final

Address = tuple[str, int]
Session = Generator[bytes, bytes, None]
"""Yields requests, is sent their answers."""

_LENGTH: Final = b"\r\nContent-Length: "
_CLOSE: Final = b"\r\nConnection: close"
"""As all servers here spell them; a look without regard to case would cost more than all the rest."""
_CHUNK: Final = 1 << 18
_TIMEOUT: Final = 60.0
"""Seconds without an answer after which a run is given up."""


class Wire:
    """One connection, kept alive if the server lets it, else opened anew for each request."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._received = b""
        self._open()

    def fileno(self) -> int:
        """The socket's, for epoll."""
        return self._socket.fileno()

    def send(self, request: bytes) -> None:
        """Write a request."""
        self._socket.sendall(request)

    def receive(self) -> bytes | None:
        """Read once; the whole answer, or None while it isn't complete.

        Raises:
            ConnectionError: The server went away.
        """
        data = self._socket.recv(_CHUNK)
        if not data:
            raise ConnectionError("the server hung up in the middle of an answer")
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0 or len(received) < end + 4 + _length(received):
            return None
        self._received = b""
        if received.find(_CLOSE, 0, end) >= 0:
            self._socket.close()
            self._open()
        return received

    def exchange(self, request: bytes) -> bytes:
        """Send a request and wait for its answer."""
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        return answer

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _open(self) -> None:
        self._socket = socket.create_connection(self._address, _TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_fresh = True
        """Whether the socket is one that nobody has looked at since."""


class Wires:
    """Several connections to one server, driven from one thread."""

    def __init__(self, address: Address, count: int) -> None:
        self._wires = [Wire(address) for _ in range(count)]
        self._poll = select.epoll()
        self._by_fileno: dict[int, Wire] = {}

    def __len__(self) -> int:
        return len(self._wires)

    def run(self, make: Callable[[], Session]) -> None:
        """Run one session on each connection until all have ended."""
        if len(self._wires) == 1:
            _run_alone(self._wires[0], make())
        else:
            self._run_together({wire: make() for wire in self._wires})

    def close(self) -> None:
        """Hang up."""
        self._poll.close()
        for wire in self._wires:
            wire.close()

    def _run_together(self, sessions: dict[Wire, Session]) -> None:
        open_count = sum(self._say(wire, next(session, None)) for wire, session in sessions.items())
        while open_count:
            events = self._poll.poll(_TIMEOUT)
            if not events:
                raise TimeoutError(f"no answer within {_TIMEOUT} s")
            for fileno, _ in events:
                wire = self._by_fileno[fileno]
                answer = wire.receive()
                if answer is not None and not self._say(wire, following(sessions[wire], answer)):
                    open_count -= 1

    def _say(self, wire: Wire, request: bytes | None) -> bool:
        if request is None:
            return False
        if wire.is_fresh:
            wire.is_fresh = False
            self._by_fileno[wire.fileno()] = wire
            self._poll.register(wire.fileno(), select.EPOLLIN)
        wire.send(request)
        return True


def following(session: Session, answer: bytes) -> bytes | None:
    """What a session wants to send after an answer; None when it has ended."""
    try:
        return session.send(answer)
    except StopIteration:
        return None


def _run_alone(wire: Wire, session: Session) -> None:
    request = next(session, None)
    while request is not None:
        request = following(session, wire.exchange(request))


def _length(answer: bytes) -> int:
    start = answer.index(_LENGTH) + len(_LENGTH)
    return int(answer[start : answer.index(b"\r", start)])
