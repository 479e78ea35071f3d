"""Stands before an emulator, which checks nobody, and refuses what a test says as IAM would."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class RefusingProxy:
    """What runs.

    Args:
        endpoint: Its address.
        refusing: The error code for each operation that is refused now; `*` for any.
        refused: The operations that were.
    """

    endpoint: str = ""
    refusing: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@contextlib.contextmanager
def refusing_proxy(behind: str) -> Iterator[RefusingProxy]:
    """Run a proxy before an endpoint."""
    state, target = RefusingProxy(), urlsplit(behind)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            code = state.refusing.get(operation) or state.refusing.get("*")
            if code is None:
                self.answer(*self.forwarded(body))
            else:
                state.refused.append(operation)
                told = {"__type": f"com.amazonaws.sqs#{code}", "message": f"{operation}: as the test says."}
                self.answer(403, json.dumps(told).encode())

        def forwarded(self, body):
            connection = http.client.HTTPConnection(target.hostname, target.port, timeout=40)
            connection.request("POST", self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            answer = response.status, response.read()
            connection.close()
            return answer

        def answer(self, status, content):
            with contextlib.suppress(OSError):  # who asked has gone
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.endpoint = f"http://localhost:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
