"""As little as an asyncio server with httptools can do: parse a request, answer a constant.

What no server in this language can beat without another event loop; the yardstick for what ours adds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Final

import httptools

_BODY: Final = b'{"MessageId":"00000000-0000-4000-a000-000000000000","MD5OfMessageBody":"%s"}' % (b"0" * 32)
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n"
    b"Connection: keep-alive\r\n\r\n%s" % (len(_BODY), _BODY)
)


class _Bare(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP servers make no other
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(_ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Bare, "127.0.0.1", 0)
    sys.stdout.write(json.dumps({"port": server.sockets[0].getsockname()[1]}) + "\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
