"""HTTP/1.1 over asyncio: parsed by httptools, answered in order, most requests without a task."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections import deque
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httptools

from cloudq_emulator.clock import real_now

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    Handler = Callable[["Request"], "Response | Coroutine[None, None, Response]"]
    Headers = list[tuple[bytes, bytes]]

logger = logging.getLogger(__name__)

_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_NO_CONTENT: Final = 204
_HEAD_BYTES: Final = 1024 * 1024
"""Of a request's line and headers, at most; AWS's own limits are lower."""
_IDLE, _HEAD, _BODY = range(3)
"""What is being read."""
_WISH: Final = frozenset({b"upgrade", b"connection"})
"""Headers that ask for another protocol."""
_QUEUED: Final = 32
"""Pipelined requests that wait on one connection before we stop reading from it."""


@dataclass(slots=True)
class Request:
    """One request.

    Args:
        method: As ``POST``.
        target: What stands after it: path and query, percent-encoded.
        headers: By lower-case name; a repeated one is joined by a comma.
        raw_headers: As they came.
        body: Its content, without any transfer coding.
        keep_alive: Whether the connection stays after the answer.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes
    keep_alive: bool

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target's query."""
        return self.target.partition("?")[2]

    def header(self, name: bytes) -> str:
        """One header, empty if it isn't there."""
        return self.headers.get(name, b"").decode("latin-1")


@dataclass(slots=True)
class Response:
    """One answer; `Content-Length`, `Date` and `Connection` are added on the way out.

    Args:
        status: The HTTP status.
        body: Its content.
        content_type: The content's type; empty if `headers` say it, who then may say its length, too.
        headers: Any others.
    """

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class HangUp(Exception):
    """Raised by a handler's coroutine: reset the connection instead of answering."""


class Connection(asyncio.Protocol):
    """One client's connection.

    Invariant: at most one request is being answered at a time, so answers keep the order of requests.

    Args:
        handler: What answers; a coroutine gets a task, which is cancelled when the client goes away.
        refuse: What answers that which is no HTTP, by the headers that could be read, and why it isn't.
        connections: All that are open, this one among them while it is.
    """

    def __init__(
        self, handler: Handler, refuse: Callable[[Headers, str], Response], connections: set[Connection]
    ) -> None:
        self._handler = handler
        self._refuse = refuse
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._reads = _IDLE
        self._raw_headers: Headers = []
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP servers make no other
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._connections.discard(self)
        self._transport = None
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._give_up(str(error))
        if self._reads == _HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self._give_up(f"its headers are longer than {_HEAD_BYTES} bytes")

    def eof_received(self) -> None:
        if self._reads != _IDLE:
            self._give_up("it ends in the middle")

    def close(self) -> None:
        """Close at once; an answer under way is dropped."""
        if self._transport is not None:
            self._transport.close()

    # What httptools calls, in this order.

    def on_message_begin(self) -> None:
        self._reads = _HEAD
        self._head_bytes = 0
        self._target = b""
        self._raw_headers = []
        self._chunks: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw_headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._reads = _BODY
        headers = self._headers = _by_name(self._raw_headers)
        expected = headers.get(b"expect")
        if expected and expected.lower() == b"100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        self._reads = _IDLE
        if b"upgrade" in self._headers and self._parser.should_upgrade():
            return  # it is read anew
        request = Request(
            self._parser.get_method().decode(),
            self._target.decode("latin-1"),
            self._headers,
            self._raw_headers,
            self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks),
            self._parser.should_keep_alive(),
        )
        if self._task is None:
            self._answer(request)
        else:
            self._queue(request)

    def _stay(self, rest: bytes) -> None:
        """Go on in HTTP/1.1 after a client has asked for another protocol, as Java's does for HTTP/2.

        The parser leaves the request's body to that protocol. So it reads the request anew, without the wish.
        """
        if b"upgrade" not in self._headers:  # CONNECT: we are no proxy
            self.close()
            return
        method = self._parser.get_method()
        self._parser = httptools.HttpRequestParser(self)
        headers = [header for header in self._raw_headers if header[0].lower() not in _WISH]
        lines = [b"%b %b HTTP/1.1" % (method, self._target), *(b"%b: %b" % header for header in headers)]
        asyncio.get_running_loop().call_soon(self.data_received, b"\r\n".join([*lines, b"", rest]))

    def _give_up(self, reason: str) -> None:
        self._write(self._refuse(self._raw_headers, reason), keep_alive=False)

    def _queue(self, request: Request) -> None:
        self._waiting.append(request)
        if len(self._waiting) >= _QUEUED and self._transport is not None:
            self._transport.pause_reading()

    def _answer(self, request: Request) -> None:
        try:
            response = self._handler(request)
        except Exception:
            logger.exception("A request could not be answered", extra={"action": "request_failed"})
            response = _broken()
        if isinstance(response, Response):
            self._write(response, keep_alive=request.keep_alive, is_head=request.method == "HEAD")
        else:
            self._task = asyncio.get_running_loop().create_task(self._answer_later(request, response))

    async def _answer_later(self, request: Request, coming: Coroutine[None, None, Response]) -> None:
        try:
            response = await coming
        except HangUp:
            self._reset()
            return
        except Exception:
            logger.exception("A request could not be answered", extra={"action": "request_failed"})
            response = _broken()
        self._task = None
        self._write(response, keep_alive=request.keep_alive, is_head=request.method == "HEAD")
        while self._waiting and self._task is None:
            self._answer(self._waiting.popleft())
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _reset(self) -> None:
        if self._transport is not None:
            # A socket that is closed without lingering tells its other end by RST.
            linger = struct.pack("ii", 1, 0)
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._transport.abort()

    def _write(self, response: Response, *, keep_alive: bool, is_head: bool = False) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(_encode(response, keep_alive=keep_alive, is_head=is_head))
        if not keep_alive:
            transport.close()


def _by_name(raw_headers: Headers) -> dict[bytes, bytes]:
    headers = {name.lower(): value for name, value in raw_headers}
    if len(headers) < len(raw_headers):  # some are repeated
        values: dict[bytes, list[bytes]] = {name: [] for name in headers}
        for name, value in raw_headers:
            values[name.lower()].append(value)
        return {name: b",".join(each) for name, each in values.items()}
    return headers


def _encode(response: Response, *, keep_alive: bool, is_head: bool) -> bytes:
    status, body = response.status, response.body
    head = _head(status, response.content_type, keep_alive)
    for name, value in response.headers:
        head = b"%b%b: %b\r\n" % (head, name, value)
    # A HEAD's answer has the length of what a GET would bring, and brings it itself where it is moto's.
    if status != _NO_CONTENT and (response.content_type or not _has_length(response)):
        head = b"%bContent-Length: %d\r\n" % (head, len(body))
    return head + b"\r\n" if is_head else b"%b\r\n%b" % (head, body)


def _has_length(response: Response) -> bool:
    return any(name.lower() == b"content-length" for name, _ in response.headers)


_heads: dict[tuple[int, bytes, bool], tuple[int, bytes]] = {}


def _head(status: int, content_type: bytes, keep_alive: bool) -> bytes:  # noqa: FBT001 - a part of the key
    """The lines that every answer of a kind has; made once a second."""
    second = int(real_now())
    key = status, content_type, keep_alive
    made_at, head = _heads.get(key, (0, b""))
    if made_at != second:
        lines = [
            b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"")),
            b"Date: " + formatdate(second, usegmt=True).encode(),
            b"Connection: keep-alive" if keep_alive else b"Connection: close",
        ]
        if content_type:
            lines.append(b"Content-Type: " + content_type)
        head = b"\r\n".join([*lines, b""])
        _heads[key] = second, head
    return head


def _broken() -> Response:
    return Response(
        500, b'{"__type": "InternalFailure", "message": "The emulator failed; its log says why."}'
    )
