"""Everything that isn't SQS: moto's own WSGI application, in a pool of threads."""

from __future__ import annotations

import asyncio
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from cloudq_emulator.http import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

_THREADS: Final = 16
"""Requests that moto works on at once; more wait."""

_INVOCATIONS: Final = 200
"""Lambda invocations at once. Each waits in a thread for its function, which may itself ask moto, and so
they have threads of their own: else those who wait would keep out those they wait for."""


class MotoApp:
    """moto, asked over WSGI as its own server would ask it.

    Args:
        host: What the server is reached by, for requests without a Host header.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        from moto.core.request import (
            PRESERVED_HEADER_NAMES_ENVIRON_KEY,
            environ_key_for_header,
            should_preserve_original_header_name,
        )
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self._application = DomainDispatcherApplication(create_backend_app)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="moto")
        self._invocations = ThreadPoolExecutor(_INVOCATIONS, thread_name_prefix="invoke")
        self._server = (host, str(port))
        self._key = environ_key_for_header
        self._is_preserved: Callable[[str], bool] = should_preserve_original_header_name
        self._preserved = PRESERVED_HEADER_NAMES_ENVIRON_KEY

    async def answer(self, request: Request, account: str) -> Response:
        """Let moto answer a request of `account`."""
        threads = self._invocations if request.path.endswith("/invocations") else self._threads
        return await asyncio.get_running_loop().run_in_executor(threads, self._run, request, account)

    async def reset(self) -> None:
        """Empty every service of moto's."""
        from moto.core.base_backend import BackendDict

        # On one of moto's threads: its SQS backend hands over to the loop, which mustn't wait for itself.
        await asyncio.get_running_loop().run_in_executor(self._threads, BackendDict.reset)

    def close(self) -> None:
        """End the threads; a request under way is not waited for."""
        for threads in (self._threads, self._invocations):
            threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, request: Request, account: str) -> Response:
        started: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
            started.update(status=int(status.split(" ", 1)[0]), headers=headers)

        chunks = self._application(self._environ(request, account), start_response)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return Response(started["status"], body, b"", _encoded(started["headers"]))

    def _environ(self, request: Request, account: str) -> dict[str, Any]:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(request.path).decode("latin-1"),
            "QUERY_STRING": request.query,
            "REQUEST_URI": request.target,
            "RAW_URI": request.target,
            "SERVER_NAME": self._server[0],
            "SERVER_PORT": self._server[1],
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        self._add_headers(environ, request)
        # The body has been read whole, and so no transfer coding applies any longer.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(request.body))
        environ.setdefault("HTTP_X_MOTO_ACCOUNT_ID", account)
        return environ

    def _add_headers(self, environ: dict[str, Any], request: Request) -> None:
        """WSGI can't tell ``a_b`` from ``a-b``; the names of which S3 must know the spelling go beside."""
        preserved: dict[str, str] = {}
        for raw_name, raw_value in request.raw_headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            key = self._key(name)
            if "_" in name:
                if not self._is_preserved(name):
                    continue
                preserved[key] = name
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        environ[self._preserved] = preserved


def _encoded(headers: list[tuple[str, str]]) -> tuple[tuple[bytes, bytes], ...]:
    """Moto's headers but for those that are the connection's own business."""
    own = {"connection", "date", "transfer-encoding"}
    return tuple(
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers
        if name.lower() not in own
    )
