"""Stands before an emulator, which checks nobody, and refuses what a test says as IAM would."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.http_server import Answering, serving


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

    class Handler(Answering):
        def pass_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            code = state.refusing.get(operation) or state.refusing.get("*")
            if code is None:
                self.answer(*self.forwarded(body))
            else:
                state.refused.append(operation)
                told = {"__type": f"com.amazonaws.sqs#{code}", "message": f"{operation}: as the test says."}
                self.answer(403, json.dumps(told).encode())

        do_POST = pass_on  # noqa: N815 - http.server's name

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

    with serving(Handler) as state.endpoint:
        yield state
