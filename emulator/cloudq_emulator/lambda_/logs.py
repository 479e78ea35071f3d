"""What a function's process prints, as log lines."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudq.clock import Clock
    from cloudq_emulator.lambda_.configuration import Configuration

TAIL_BYTES: Final = 4096
"""The part of its log that an invocation returns. Source: Lambda API reference, Invoke, read 2026-11."""

_CHUNK_BYTES: Final = 65_536
_LINE_BYTES: Final = 262_144
"""Longer lines are cut. Source: CloudWatch Logs quotas, event size, read 2026-11."""

_LINGER: Final = 0.1
"""Seconds that lines wait for company on their way to the sink."""


class LogSink(Protocol):
    """Where log lines go."""

    def write(self, configuration: Configuration, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        """Keep `lines`: (milliseconds since the epoch, text), in order."""
        ...


class Output:
    """The pipe behind a process's stdout and stderr.

    Args:
        configuration: Whose output it is.
        stream: The log stream's name.
        clock: Stamps the lines.
        sink: Where they go.
    """

    def __init__(self, configuration: Configuration, stream: str, *, clock: Clock, sink: LogSink) -> None:
        self._configuration = configuration
        self._stream = stream
        self._clock = clock
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._lines: list[tuple[int, str]] = []
        self._tail: deque[str] = deque(maxlen=TAIL_BYTES)
        self._rest = b""
        self._flush_timer: asyncio.TimerHandle | None = None
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._loop.add_reader(self._read_end, self.drain)

    def started(self) -> None:
        """The process has its copy of the write end: close ours, so that its end is seen."""
        os.close(self.write_end)

    def drain(self) -> None:
        """Take in all that has been printed by now."""
        while True:
            try:
                data = os.read(self._read_end, _CHUNK_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._read_end)
                return
            self._split(data)

    def add(self, line: str) -> None:
        """Add a line of Lambda's own."""
        self._lines.append((int(self._clock.now() * 1000), line))
        self._tail.append(line)
        if self._flush_timer is None:
            self._flush_timer = self._loop.call_later(_LINGER, self._flush)

    def begin(self) -> None:
        """Start a new tail: an invocation begins."""
        self._tail.clear()

    def tail(self) -> bytes:
        """The last 4 KB since `begin`."""
        return "".join(f"{line}\n" for line in self._tail).encode()[-TAIL_BYTES:]

    def close(self) -> None:
        """Read what is left, hand it on, and let go of the pipe."""
        self.drain()
        if self._rest:
            self._split(b"\n")
        self._loop.remove_reader(self._read_end)
        os.close(self._read_end)
        self._flush()

    def _split(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            # The runtime client joins a traceback's lines with \r and indents with no-break spaces,
            # so that a log agent takes them for one event.
            self.add(line.decode(errors="replace").replace("\r", "\n").replace("\u00a0", " "))

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self._lines:
            lines, self._lines = self._lines, []
            self._sink.write(self._configuration, self._stream, lines)
