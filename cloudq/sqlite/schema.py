"""The tables that users of a file keep in it, and how a new file comes by them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from cloudq.errors import ConfigurationError

__all__ = ["Schema", "prepare"]

OLDEST_SQLITE = (3, 35, 0)
"""RETURNING. Source: SQLite release log, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Tables that one user of a file keeps in it.

    Args:
        part: Whose, as a name.
        version: Rises with each change; a file that is newer than the program isn't touched.
        script: What makes them.
        additions: Tables that came later, each a part by itself: an older program goes on with a file that
            has them, and a newer one adds them to a file that doesn't.
    """

    part: str
    version: int
    script: str
    additions: tuple[Schema, ...] = ()


def prepare(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    """Make what isn't there yet.

    Raises:
        ConfigurationError: SQLite is too old, or the file too new.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} is too old, 3.35 is needed; it comes with Python."
        )
    _use_write_ahead_log(connection)
    for part in (schema, *schema.additions):
        _prepare_part(connection, part, path)


def _prepare_part(connection: sqlite3.Connection, schema: Schema, path: Path) -> None:
    if (version := _version(connection, schema.part)) is None:
        version = _make(connection, schema)
    if version > schema.version:
        raise ConfigurationError(
            f"{path} was written by a newer cloudq (its {schema.part} have version {version}, this one "
            f"knows {schema.version}): upgrade cloudq, or name another file."
        )


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


def _make(connection: sqlite3.Connection, schema: Schema) -> int:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS cloudq_schema (part TEXT PRIMARY KEY, version INTEGER NOT NULL)"
        )
        if (version := _version(connection, schema.part)) is not None:
            return version  # Race: another process was first
        for statement in schema.script.split(";\n\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO cloudq_schema VALUES (?, ?)", (schema.part, schema.version))
        return schema.version
