"""State in one SQLite file, which may be the broker's: shared by processes, survives restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from cloudq.backends.base import Change
from cloudq.clock import Clock
from cloudq.errors import BackendError, BackendUnavailableError
from cloudq.sqlite import Database, Failures, Schema, locate

__all__ = ["SqliteBackend", "connect"]

SCHEMA = Schema(
    part="results",
    version=1,
    script="""
CREATE TABLE cloudq_value (
    key TEXT PRIMARY KEY,
    expires_at REAL,                     -- NULL: kept
    value BLOB NOT NULL
);

CREATE INDEX cloudq_value_expires ON cloudq_value (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE cloudq_set (
    key TEXT PRIMARY KEY,
    expires_at REAL,
    size INTEGER NOT NULL DEFAULT 0      -- so that adding the 10,000th member counts no 9,999
);

CREATE INDEX cloudq_set_expires ON cloudq_set (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE cloudq_member (
    key TEXT NOT NULL,
    member TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (key, member)
);

CREATE TRIGGER cloudq_set_removed AFTER DELETE ON cloudq_set BEGIN
    DELETE FROM cloudq_member WHERE key = old.key;
END;

CREATE TRIGGER cloudq_member_added AFTER INSERT ON cloudq_member BEGIN
    UPDATE cloudq_set SET size = size + 1 WHERE key = new.key;
END
""",
)

_GET = "SELECT value FROM cloudq_value WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)"
_PUT = "INSERT OR REPLACE INTO cloudq_value (key, value, expires_at) VALUES (?, ?, ?)"
_FORGET_VALUES = """
DELETE FROM cloudq_value WHERE rowid IN (SELECT rowid FROM cloudq_value WHERE expires_at <= ? LIMIT 100)
"""
_FORGET_SETS = """
DELETE FROM cloudq_set WHERE rowid IN (SELECT rowid FROM cloudq_set WHERE expires_at <= ? LIMIT 10)
"""
_FORGET_SET = "DELETE FROM cloudq_set WHERE key = ? AND expires_at <= ?"
_KEEP_SET = """
INSERT INTO cloudq_set (key, expires_at) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET expires_at = excluded.expires_at
"""
_ADD = "INSERT OR IGNORE INTO cloudq_member (key, member, value) VALUES (?, ?, ?)"
_SIZE = "SELECT size FROM cloudq_set WHERE key = ?"
_MEMBERS = """
SELECT member, cloudq_member.value FROM cloudq_member JOIN cloudq_set USING (key)
WHERE key = ? AND (expires_at IS NULL OR expires_at > ?)
"""


def connect(url: str, *, clock: Clock) -> SqliteBackend:
    """Make a backend from `sqlite:///path[?synchronous=normal]`; the file is made on first use.

    Raises:
        ConfigurationError: The URL is misspelt, or the path lies on a network file system.
    """
    failures = Failures(unavailable=BackendUnavailableError, broken=BackendError)
    return SqliteBackend(Database(locate(url), SCHEMA, failures, clock), clock)


class SqliteBackend:
    """State in one SQLite file.

    Args:
        database: The file.
        clock: What times to live are measured on: the wall clock, the only one that processes share.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def get(self, key: str) -> bytes | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        with self._database.connection() as connection:
            now = self._clock.now()
            found = {key: _get(connection, key, now) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        self.put_many({key: value}, ttl=ttl)

    def put_if(self, changes: Sequence[Change]) -> list[bool]:
        with self._database.transaction() as connection:
            now = self._clock.now()
            made = [_change(connection, change, now) for change in changes]
        self._database.announce()
        return made

    def put_many(self, values: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        with self._database.transaction() as connection:
            now = self._clock.now()
            connection.execute(_FORGET_VALUES, (now,))
            at = _expires_at(now, ttl)
            connection.executemany(_PUT, [(key, value, at) for key, value in values.items()])
        self._database.announce()

    def delete(self, key: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM cloudq_value WHERE key = ?", (key,))
            connection.execute("DELETE FROM cloudq_set WHERE key = ?", (key,))
        self._database.announce()

    def add_member(self, key: str, member: str, value: bytes, *, ttl: float | None = None) -> int:
        with self._database.transaction() as connection:
            now = self._clock.now()
            connection.execute(_FORGET_SET, (key, now))
            connection.execute(_FORGET_SETS, (now,))
            connection.execute(_KEEP_SET, (key, _expires_at(now, ttl)))
            connection.execute(_ADD, (key, member, value))
            (size,) = connection.execute(_SIZE, (key,)).fetchone()
        return int(size)

    def members(self, key: str) -> dict[str, bytes]:
        with self._database.connection() as connection:
            return dict(connection.execute(_MEMBERS, (key, self._clock.now())).fetchall())

    def wait(self, keys: Sequence[str], timeout: float, *, known: Mapping[str, bytes] | None = None) -> None:
        deadline = self._clock.monotonic() + timeout
        expected = None if known is None else {key: known[key] for key in keys if key in known}
        with self._database.until_closed():
            while not self._database.is_closed:
                state, present = self._database.state(), self.get_many(keys)
                if expected is None:
                    expected = present
                if present != expected or self._clock.monotonic() >= deadline:
                    return
                self._database.wait(state, deadline)

    def close(self) -> None:
        self._database.close()


def _get(connection: sqlite3.Connection, key: str, now: float) -> bytes | None:
    row = connection.execute(_GET, (key, now)).fetchone()
    return row and row[0]


def _change(connection: sqlite3.Connection, change: Change, now: float) -> bool:
    fits = _get(connection, change.key, now) == change.expected
    if fits:
        connection.execute(_PUT, (change.key, change.value, _expires_at(now, change.ttl)))
    return fits


def _expires_at(now: float, ttl: float | None) -> float | None:
    return None if ttl is None else now + ttl
