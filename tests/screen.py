"""A terminal's screen for tests: what a person would see of what a program writes."""

from __future__ import annotations

import re

_PART = re.compile(rb"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)", re.DOTALL)


class Screen:
    """As far as cloudq uses one: text, CR, LF, erasing downwards, wrapping and not, colours."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.lines = [""]
        self.written = b""
        """All of it, as it was written."""
        self.is_wrapping = True
        self._row = self._column = 0
        self._rest = b""

    def write(self, data: bytes) -> None:
        self.written += data
        data, self._rest = self._rest + data, b""
        at = 0
        while at < len(data):
            found = _PART.match(data, at)
            if found is None or (found[4] and found.end() == len(data) and _is_torn(found[4])):
                self._rest = data[at:]
                return
            at = found.end()
            self._take(found)

    @property
    def last(self) -> str:
        """The lowest line."""
        return self.lines[-1]

    def _take(self, found: re.Match[bytes]) -> None:
        if found[3] == b"\r":
            self._column = 0
        elif found[3] == b"\n":
            self._down()
        elif found[4]:
            self._print(found[4].decode())
        elif found[2] == b"J" and found[1] in (b"", b"0"):
            del self.lines[self._row + 1 :]
            self.lines[self._row] = self.lines[self._row][: self._column]
        elif found[1] == b"?7":
            self.is_wrapping = found[2] == b"h"
        else:
            assert found[2] == b"m", f"what does {found[0]!r} mean?"

    def _print(self, text: str) -> None:
        for character in text:
            if self._column == self.columns:
                if self.is_wrapping:
                    self._down()
                    self._column = 0
                else:
                    self._column -= 1
            line = self.lines[self._row].ljust(self._column)
            self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self.lines):
            self.lines.append("")


def _is_torn(data: bytes) -> bool:
    """Whether a character's last bytes are still to come."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False
