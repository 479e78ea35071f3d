"""One SQLite file and this process's connection to it.

One connection a process, behind a lock: SQLite has one writer at a time, so more connections would only wait
for one another, with timers where a lock wakes at once.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Condition, RLock

from cloudq.clock import Clock
from cloudq.sqlite.failures import BUSY, Failures
from cloudq.sqlite.forks import let_fork
from cloudq.sqlite.location import Location
from cloudq.sqlite.schema import Schema, prepare

__all__ = ["Database"]

SHORTEST_PAUSE = 0.005
LONGEST_PAUSE = 0.05
"""Seconds between two looks at whether another process has written."""

_TEXT = partial(str, encoding="utf-8", errors="replace")
"""Reads a text that another program wrote and SQLite didn't check, rather than fail with all others."""

_State = tuple[int, int, int]
_Identity = tuple[int, int]

logger = logging.getLogger(__name__)


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
        self._identity: _Identity | None = None
        self.replaced_count = 0
        """How often the file was found to be another one: what was known of its rows isn't true any more."""
        self._opened_count = 0
        self._announced_count = 0
        self.is_closed = False
        self._make_locks()
        let_fork(self)

    def _make_locks(self) -> None:
        self._lock = RLock()
        self._changed = Condition()

    @contextmanager
    def connection(self) -> Generator[sqlite3.Connection]:
        """The connection, for reading; nobody else in this process uses it meanwhile."""
        with self._translated(), self._lock:
            yield self._current()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """The connection, for writing: all that is done or, after an exception, nothing."""
        with self._translated(), self._lock:
            connection = self._current()
            with connection:  # from before it begins, so that no interrupt leaves it open
                connection.execute("BEGIN IMMEDIATE")
                yield connection

    def announce(self) -> None:
        """Wake this process's waits: something was written that they may wait for."""
        with self._changed:
            self._announced_count += 1
            self._changed.notify_all()

    def state(self) -> _State:
        """Stands for what the file holds: unequal once another process, or an `announce`, has changed it."""
        with self.connection() as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return self._announced_count, self._opened_count, version

    def wait(self, state: _State, until: float) -> None:
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

    def _current(self) -> sqlite3.Connection:
        """The connection, to the file that lies there now: SQLite goes on with one that was deleted."""
        if self._connection is not None:
            if self._identity == _identity(self.path):
                return self._connection
            self._disconnect()
            self.replaced_count += 1
            logger.error(
                "%s was deleted or replaced: it is opened anew, what the old one held is lost",
                self.path,
                extra={"action": "database_replaced"},
            )
        return self._open()

    def _open(self) -> sqlite3.Connection:
        if self.is_closed:
            raise self._failures.broken(f"{self.path} was closed.")
        self._make_directory()
        connection = sqlite3.connect(self.path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        connection.text_factory = _TEXT
        try:
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            prepare(connection, self._schema, self.path)
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, _identity(self.path)
        self._opened_count += 1
        return connection

    def _make_directory(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failures.broken(
                f"The directory of {self.path} can't be made: {error.strerror}."
            ) from error

    @contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._failures.translation(self.path, error) from error

    def before_fork(self) -> None:
        self._lock.acquire()
        self._disconnect()

    def after_fork(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._make_locks()


def _identity(path: Path) -> _Identity | None:
    """What tells a file from another of the same name; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - at each call; Path.stat takes twice the time
    except OSError:
        return None
    return found.st_dev, found.st_ino
