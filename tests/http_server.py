"""A server that answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_UP = "hang up"
"""In place of an answer: close the connection without one."""


@dataclass(frozen=True)
class Asked:
    """One request.

    Args:
        method: Its method.
        path: Its path.
        headers: Its headers, by their names in small letters.
        body: Its body.
        connection: The client's port: equal where a connection was used again.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class HttpServer:
    """What runs.

    Args:
        endpoint: Its address.
        answers: What is answered next: status, headers, body; when they have run out, 200 and `{}`.
        asked: What was asked.
    """

    endpoint: str = ""
    answers: list[object] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


class Answering(BaseHTTPRequestHandler):
    """Keeps connections open, and sends an answer in one piece: in two it takes 40 ms (Nagle's algorithm)."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def handle(self):
        with contextlib.suppress(ConnectionResetError):  # who asked was killed
            super().handle()

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def serving(handler: type[Answering], context=None) -> Iterator[str]:
    """Run a server in a thread; its endpoint."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    scheme = "http" if context is None else "https"
    try:
        yield f"{scheme}://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def http_server(context=None) -> Iterator[HttpServer]:
    """Run a server; with TLS where a context is given."""
    state = HttpServer()

    class Handler(Answering):
        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.asked.append(Asked(self.command, self.path, headers, body, self.client_address[1]))
            answer = state.answers.pop(0) if state.answers else (200, {}, b"{}")
            if answer == HANG_UP:
                self.close_connection = True
                return
            status, more, content = answer
            (self.send_response_only if "Date" in more else self.send_response)(status)
            for name, value in {"Content-Length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = more.get("Connection") == "close" or more.get("X-Then") == "close"

        do_GET = answer  # noqa: N815 - http.server's name
        do_POST = answer  # noqa: N815 - http.server's name

    with serving(Handler, context) as state.endpoint:
        yield state
