"""What SQLite's errors mean, and what to do about each."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cloudq.errors import CloudqError

__all__ = ["BUSY", "Failures"]

BUSY = 10.0
"""Seconds to wait for other processes' transactions, which last milliseconds, before giving up."""

_TRANSIENT = {
    sqlite3.SQLITE_BUSY: f"others have held its lock for {BUSY:.0f} seconds: is one stopped in a debugger?",
    sqlite3.SQLITE_LOCKED: "it is locked",
    sqlite3.SQLITE_PROTOCOL: "too many processes opened it at once",
    sqlite3.SQLITE_FULL: "the disk is full: make room",
    sqlite3.SQLITE_IOERR: "the disk can't be read or written: look into the system's log",
}
_LASTING = {
    sqlite3.SQLITE_CANTOPEN: "it can't be opened: may this user read and write it and its directory?",
    sqlite3.SQLITE_PERM: "this user may not open it",
    sqlite3.SQLITE_READONLY: "this user may not write it, its directory, or the files beside it",
    sqlite3.SQLITE_CORRUPT: "it is damaged: put it aside and see https://www.sqlite.org/recovery.html",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database: name another file",
}


@dataclass(frozen=True, slots=True)
class Failures:
    """What a database's user raises when SQLite can't.

    Args:
        unavailable: For what may pass: the call may be made again.
        broken: For what won't.
    """

    unavailable: type[CloudqError]
    broken: type[CloudqError]

    def translation(self, path: Path, error: sqlite3.Error) -> CloudqError:
        """What to raise for an error of SQLite's."""
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # the low byte: the kind of error
        if code in _TRANSIENT:
            return self.unavailable(f"{path}: {_TRANSIENT[code]} ({error}).")
        return self.broken(f"{path}: {_LASTING.get(code, 'SQLite refused')} ({error}).")
