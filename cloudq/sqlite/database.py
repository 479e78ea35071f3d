"""One SQLite file and this process's connection to it.

One connection a process, behind a lock: SQLite has one writer at a time, so more connections would only wait
for one another, with timers where a lock wakes at once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, RLock
from weakref import WeakSet

from cloudq.clock import Clock
from cloudq.errors import CloudqError, ConfigurationError
from cloudq.sqlite.location import Location

__all__ = ["Database", "Failures", "Schema"]

BUSY = 10.0
"""Seconds to wait for other processes' transactions, which last milliseconds, before giving up."""

SHORTEST_PAUSE = 0.005
LONGEST_PAUSE = 0.05
"""Seconds between two looks at whether another process has written."""

OLDEST_SQLITE = (3, 35, 0)
"""RETURNING. Source: SQLite release log, read 2026-11."""

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

_Announced = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Failures:
    """What a database's user raises when SQLite can't.

    Args:
        unavailable: For what may pass: the call may be made again.
        broken: For what won't.
    """

    unavailable: type[CloudqError]
    broken: type[CloudqError]


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables that one user of a file keeps in it.

    Args:
        part: Whose, as a name.
        version: Rises with each change; a file that is newer than the program isn't touched.
        script: What makes them.
    """

    part: str
    version: int
    script: str


class Database:
    """One SQLite file, opened on first use. Thread-safe, and safe to fork with.

    Args:
        location: Where it lies; missing directories are made.
        schema: What to make in it.
        failures: What to raise.
        clock: What waits are measured on.
    """

    def __init__(self, location: Location, schema: Schema, failures: Failures, clock: Clock) -> None:
        self.path = location.path
        self._synchronous = location.synchronous
        self._schema = schema
        self._failures = failures
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._opened_count = 0
        self._announced_count = 0
        self.is_closed = False
        self._make_locks()
        _databases.add(self)

    def _make_locks(self) -> None:
        self._lock = RLock()
        self._changed = Condition()

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """The connection, for reading; nobody else in this process uses it meanwhile."""
        with self._translated(), self._lock:
            yield self._connection or self._open()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """The connection, for writing: all that is done or, after an exception, nothing."""
        with self._translated(), self._lock:
            connection = self._connection or self._open()
            with connection:  # from before it begins, so that no interrupt leaves it open
                connection.execute("BEGIN IMMEDIATE")
                yield connection

    def announce(self) -> None:
        """Wake this process's waits: something was written that they may wait for."""
        with self._changed:
            self._announced_count += 1
            self._changed.notify_all()

    def state(self) -> _Announced:
        """Stands for what the file holds: unequal once another process, or an `announce`, has changed it."""
        with self.connection() as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return self._announced_count, self._opened_count, version

    def wait(self, state: _Announced, until: float) -> None:
        """Return when `state` isn't the file's any more, at `until` on the monotonic clock, or on `close`."""
        pause = SHORTEST_PAUSE
        with self.until_closed():
            while self._clock.monotonic() < until:
                with self._changed:
                    if self._announced_count == state[0] and not self.is_closed:
                        self._clock.wait(self._changed, min(until, self._clock.monotonic() + pause))
                if self.state() != state:
                    return
                pause = min(2 * pause, LONGEST_PAUSE)

    @contextmanager
    def until_closed(self) -> Generator[None]:
        """End quietly what a `close` in another thread breaks off."""
        try:
            yield
        except self._failures.broken:
            if not self.is_closed:
                raise

    def close(self) -> None:
        """Let go of the file; waits return at once, everything else is refused."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()
        with self._lock:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self.is_closed:
            raise self._failures.broken(f"{self.path} was closed.")
        self._make_directory()
        connection = sqlite3.connect(self.path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._opened_count += 1
        return connection

    def _make_directory(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failures.broken(
                f"The directory of {self.path} can't be made: {error.strerror}."
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old, 3.35 is needed; it comes with Python."
            )
        _use_write_ahead_log(connection)
        connection.execute(f"PRAGMA synchronous={self._synchronous}")
        version = _version(connection, self._schema.part)
        if version is None:
            _make(connection, self._schema)
        elif version > self._schema.version:
            raise ConfigurationError(
                f"{self.path} was written by a newer cloudq (its {self._schema.part} have version {version}, "
                f"this one knows {self._schema.version}): upgrade cloudq, or name another file."
            )

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translation(error) from error

    def _translation(self, error: sqlite3.Error) -> CloudqError:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # the low byte: the kind of error
        if code in _TRANSIENT:
            return self._failures.unavailable(f"{self.path}: {_TRANSIENT[code]} ({error}).")
        return self._failures.broken(f"{self.path}: {_LASTING.get(code, 'SQLite refused')} ({error}).")

    def before_fork(self) -> None:
        """Wait for the transaction under way and disconnect.

        A child that inherits a connection inherits SQLite's belief in locks that are its parent's, and the
        connections that it makes itself believe it, too. Source: SQLite, How To Corrupt An SQLite Database
        File, section 2.6, read 2026-11.
        """
        self._lock.acquire()
        self._disconnect()

    def after_fork(self) -> None:
        """Go on in the parent."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on in the child, where no other thread is left to release what it held."""
        self._make_locks()


_databases: WeakSet[Database] = WeakSet()
_forking: list[Database] = []


def _before_fork() -> None:
    databases = sorted(_databases, key=id)  # always in the same order, or two forks would deadlock
    for database in databases:
        database.before_fork()
    _forking[:] = databases


def _after_fork() -> None:
    databases = _forking[:]
    _forking.clear()
    for database in databases:
        database.after_fork()


def _after_fork_in_child() -> None:
    for database in _forking:
        database.after_fork_in_child()
    _forking.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file's journal, which is done once in its life.

    Race: of two processes that make the file at the same time, SQLite lets one fail rather than wait; a
    transaction does wait.
    """
    for _ in range(100):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        else:
            return
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")


def _version(connection: sqlite3.Connection, part: str) -> int | None:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'cloudq_schema'").fetchone()
    if known is None:
        return None
    row = connection.execute("SELECT version FROM cloudq_schema WHERE part = ?", (part,)).fetchone()
    return row and int(row[0])


def _make(connection: sqlite3.Connection, schema: Schema) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS cloudq_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL)"
        )
        if _version(connection, schema.part) is not None:
            return  # another process was first
        for statement in schema.script.split(";\n\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO cloudq_schema VALUES (?, ?)", (schema.part, schema.version))
