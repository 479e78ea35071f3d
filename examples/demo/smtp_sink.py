"""A mail server on a free port that keeps every e-mail as a file.

It greylists one address, as real servers do with senders they haven't seen: "try again later", twice. Another
address doesn't exist. So the failures that the demo shows are not played: a server causes them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from examples.demo.inputs import GONE, LATE, LATE_REFUSALS

TAKEN = "250 OK"
TRY_LATER = "450 4.2.0 greylisted, please try again later"
NO_SUCH_MAILBOX = "550 5.1.1 no such mailbox"


class SmtpSink:
    """A mail server in a thread of its own.

    Args:
        folder: Where e-mails are kept, one file each.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.address = ""
        self.answers: list[tuple[str, str]] = []
        self._refused: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-sink", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        host, port = server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[Any]
    ) -> str:
        """Take an address, or say why not."""
        said = self._judge(address)
        self.answers.append((address, said))
        if said == TAKEN:
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep an e-mail."""
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        for address in envelope.rcpt_tos:
            count = sum(1 for _ in self.folder.glob(f"{address}*.eml"))
            name = f"{address}.eml" if not count else f"{address}-{count + 1}.eml"
            (self.folder / name).write_bytes(content)
        return TAKEN

    def _judge(self, address: str) -> str:
        name = address.partition("@")[0]
        if name == GONE:
            return NO_SUCH_MAILBOX
        if name == LATE and self._refused[address] < LATE_REFUSALS:
            self._refused[address] += 1
            return TRY_LATER
        return TAKEN

    async def _listen(self) -> asyncio.Server:
        def connection() -> SMTP:
            return SMTP(self, hostname="mail.example.org", loop=self._loop)

        return await self._loop.create_server(connection, "127.0.0.1", 0)
