"""The Runtime API: what the runtime client in a function's process asks for work and answers to.

One server per process, on a loopback port of its own, as each of Lambda's execution environments has one.
Source: AWS Lambda Developer Guide, "Using the Lambda runtime API", read 2026-11.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httptools
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERSION: Final = "/2018-06-01/runtime/"

RESPONSE_LIMIT_BYTES: Final = 6 * 1024 * 1024 + 100
"""Largest response of a synchronous invocation: 6 MB as metered. Source: Lambda quotas, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a function.

    Args:
        request_id: The id in the context and in the log lines.
        payload: The event, as JSON.
        function_arn: What was invoked, qualifier included.
        deadline: When it will be stopped, in seconds since the epoch on the machine's clock.
        trace: The X-Ray trace header, for `_X_AMZN_TRACE_ID`.
        client_context: The caller's client context, as JSON; empty for none.
    """

    request_id: str
    payload: bytes
    function_arn: str
    deadline: float
    trace: str = ""
    client_context: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of an invocation.

    Args:
        payload: What the handler returned, or the error, as JSON.
        failed: Whether it is an error.
    """

    payload: bytes
    failed: bool = False

    @classmethod
    def error(cls, error_type: str, message: str) -> Reply:
        """An error that Lambda itself reports, not the function."""
        return cls(orjson.dumps({"errorType": error_type, "errorMessage": message}), failed=True)


class RuntimeApi:
    """Hands invocations to one process, one at a time, and takes its replies."""

    def __init__(self) -> None:
        self.initialised: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        """Done when the process asks for work (None) or says that its code can't be loaded (the error)."""
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._parked: _Connection | None = None
        self._waiting: Invocation | None = None
        self._running: Invocation | None = None
        self._reply: asyncio.Future[Reply] | None = None

    async def start(self) -> str:
        """Listen; returns the address for AWS_LAMBDA_RUNTIME_API."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        """Stop listening and drop what is connected."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.drop()

    def give(self, invocation: Invocation) -> asyncio.Future[Reply]:
        """Hand over an invocation; at most one at a time. The future ends with the reply or by `finish`."""
        self._reply = asyncio.get_running_loop().create_future()
        self._waiting = invocation
        self._hand_over()
        return self._reply

    def finish(self, reply: Reply) -> None:
        """End the invocation that is running, if there is one: the first reply counts."""
        self._running = self._waiting = None
        if self._reply is not None and not self._reply.done():
            self._reply.set_result(reply)

    def opened(self, connection: _Connection) -> None:
        self._connections.add(connection)

    def closed(self, connection: _Connection) -> None:
        self._connections.discard(connection)
        if self._parked is connection:
            self._parked = None

    def requested(self, connection: _Connection, method: str, path: str, body: bytes) -> None:
        """Route one request of the process."""
        action = path.removeprefix(_VERSION)
        match method, action.split("/"):
            case "GET", ["invocation", "next"]:
                self._parked = connection
                self._initialise(None)
                self._hand_over()
            case "POST", ["invocation", request_id, "response" | "error" as kind]:
                self._answered(connection, request_id, Reply(body, failed=kind == "error"))
            case "POST", ["init", "error"]:
                connection.respond("202 Accepted")
                self._initialise(Reply(body, failed=True))
            case _:
                connection.respond("404 Not Found")

    def _initialise(self, error: Reply | None) -> None:
        if not self.initialised.done():
            self.initialised.set_result(error)

    def _hand_over(self) -> None:
        if self._parked is None or self._waiting is None:
            return
        self._running, self._waiting = self._waiting, None
        connection, self._parked = self._parked, None
        connection.respond("200 OK", _headers(self._running), self._running.payload)

    def _answered(self, connection: _Connection, request_id: str, reply: Reply) -> None:
        if self._running is None or self._running.request_id != request_id:
            connection.respond("400 Bad Request", body=b'{"errorType":"InvalidRequestID"}')
            return
        connection.respond("202 Accepted")
        self.finish(_limited(reply))


def _limited(reply: Reply) -> Reply:
    if len(reply.payload) <= RESPONSE_LIMIT_BYTES:
        return reply
    return Reply.error(
        "Function.ResponseSizeTooLarge",
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes).",
    )


def _headers(invocation: Invocation) -> dict[str, str]:
    headers = {
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
        "Content-Type": "application/json",
    }
    if invocation.trace:
        headers["Lambda-Runtime-Trace-Id"] = invocation.trace
    if invocation.client_context:
        headers["Lambda-Runtime-Client-Context"] = invocation.client_context
    return headers


class _Connection(asyncio.Protocol):
    """One kept-alive connection; the process has one request open at a time."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._body: list[bytes] = []
        self._continue = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue] - a TCP server's are
        self._api.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._api.closed(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.drop()

    def on_message_begin(self) -> None:
        self._url = b""
        self._body = []
        self._continue = False

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._continue = True

    def on_headers_complete(self) -> None:
        if self._continue and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        path = urlsplit(self._url.decode()).path
        self._api.requested(self, method, path, b"".join(self._body))

    def respond(self, status: str, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> None:
        if self._transport is None or self._transport.is_closing():
            return
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()
