"""A terminal of which the lowest line is kept for a status, whoever writes above it.

A worker is several processes, and all of them write: logs, what tasks print, a traceback out of C. So that
none of it ends up in the middle of the status, the process is given a terminal of its own in place of the
real one, and its children inherit that. What is written to it is copied by the line to the real one, above
the status. They still see a terminal: its width and its colours are the real one's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import sys
import termios
import threading
from collections.abc import Callable, Sequence

import click

from cloudq.cli.status_line import Piece, fitted
from cloudq.clock import Clock
from cloudq.config import environment

__all__ = ["Console"]

BEAT = 1.0
"""Seconds between two looks at the status."""

_CHUNK = 64 * 1024
_LAST_LOOKS = 100
"""Chunks that are copied after the end, so that a child that writes for ever doesn't keep it from ending."""

# Terminals that don't know a sequence pass over it; ECMA-48 and DEC's VT100 have these.
_ERASE = b"\r\x1b[J"
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


class Console:
    """Keeps a status at the bottom of the terminal, from `open` to `close`.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._has_color = not environment("NO_COLOR")
        self._look: Callable[[], None] | None = None
        self._pieces: Sequence[Piece] = ()
        self._partial = b""
        self._is_drawn = False
        self._encoded, self._encoded_of = b"", ((), 0)
        self._closing = threading.Lock()
        self._saved: dict[int, int] = {}

    def open(self) -> None:
        """Take the terminal's place."""
        self._ours, theirs = os.openpty()
        os.set_blocking(self._ours, False)
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST  # the real one makes \r\n of \n
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        self._wake_in, self._wake_out = os.pipe()
        os.set_blocking(self._wake_out, False)
        sys.stdout.flush()
        sys.stderr.flush()
        self._saved = {number: os.dup(number) for number in (1, 2) if os.isatty(number)}
        self._real = self._saved[2]
        self._fit()
        for number in self._saved:
            os.dup2(theirs, number)
        os.close(theirs)
        self._thread = threading.Thread(target=self._run, name="cloudq-console", daemon=True)
        self._thread.start()

    def watch(self, look: Callable[[], None]) -> None:
        """Begin to show a status: `look` is called now and then, and has `show` called with what there is."""
        self._look = look

    def show(self, pieces: Sequence[Piece]) -> None:
        """The status from now on. From any thread."""
        self._pieces = pieces
        self._wake()

    def close(self) -> None:
        """Write what is left, take the status away, and give the terminal back. More than once is as good."""
        with self._closing:
            if not self._saved:
                return
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            saved, self._saved = self._saved, {}
            for number, real in saved.items():
                os.dup2(real, number)
            os.close(self._wake_out)
            self._thread.join()
            for descriptor in (*saved.values(), self._ours, self._wake_in):
                os.close(descriptor)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is about to wake. Closed: it comes too late.
            os.write(self._wake_out, b".")

    # The thread that alone writes to the terminal

    def _run(self) -> None:
        due = self._clock.monotonic()
        is_open = True
        while is_open:
            pause = self._clock.real(max(0.0, due - self._clock.monotonic()))
            ready, _, _ = select.select([self._ours, self._wake_in], [], [], pause)
            is_open = self._wake_in not in ready or bool(os.read(self._wake_in, _CHUNK))
            if self._clock.monotonic() >= due:
                due = self._clock.monotonic() + BEAT
                self._fit()
                if self._look is not None:
                    self._look()
            if is_open:
                self._copy(has_status=True)
        for _ in range(_LAST_LOOKS):
            if not self._copy(has_status=False):
                break
        self._write(self._partial)

    def _copy(self, *, has_status: bool) -> bool:
        """Copy whole lines that were written, and draw the status below; whether there were any."""
        data = self._read()
        whole, newline, self._partial = (self._partial + data).rpartition(b"\n")
        is_in_front = self._is_in_front()
        erase = _ERASE if self._is_drawn and is_in_front else b""
        status = self._status() if has_status and is_in_front and self._pieces else b""
        self._write(erase + whole + newline + status)
        self._is_drawn = bool(status)
        return bool(data)

    def _read(self) -> bytes:
        """What was written since the last look; the terminal gives a few KiB at a time."""
        data = b""
        with contextlib.suppress(OSError):  # nothing more there; or, EIO, nobody who could write
            while len(data) < _CHUNK and (more := os.read(self._ours, _CHUNK)):
                data += more
        return data

    def _status(self) -> bytes:
        # One column stays free: a terminal may go to the next line when its last column is written.
        what = self._pieces, max(1, self._columns() - 1)
        if what != self._encoded_of:
            self._encoded_of, self._encoded = what, self._encode(*what)
        return self._encoded

    def _encode(self, pieces: Sequence[Piece], columns: int) -> bytes:
        text = "".join(self._colored(piece) for piece in fitted(pieces, columns))
        # The cursor ends at the line's beginning: where the terminal is made narrower, and the line is broken
        # in two, what is erased begins there.
        return f"{_NO_WRAP}{text}{_WRAP}\r".encode(errors="replace")

    def _colored(self, piece: Piece) -> str:
        if not self._has_color:
            return piece.text
        return click.style(piece.text, fg=piece.color, dim=piece.color is None)

    def _write(self, data: bytes) -> None:
        # Gone: whoever writes must not wait for it all the same.
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._real, data) :]

    def _is_in_front(self) -> bool:
        """Whether no shell has the terminal back, as when the worker was put into the background."""
        try:
            return os.tcgetpgrp(self._real) == os.getpgrp()
        except OSError:
            return True  # it isn't this session's terminal, so that no shell minds

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._real).columns or 80
        except OSError:
            return 80

    def _fit(self) -> None:
        """Give who writes the real terminal's size."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(self._real, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(self._ours, termios.TIOCSWINSZ, size)
