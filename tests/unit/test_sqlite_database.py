from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from cloudq.clock import FakeClock, SystemClock
from cloudq.errors import BrokerError, BrokerUnavailableError, ConfigurationError
from cloudq.sqlite import Database, Failures, Schema, locate
from cloudq.testing.steps import PATIENCE, in_thread

SCHEMA = Schema("things", 1, "CREATE TABLE thing (name TEXT);\n\nCREATE INDEX thing_name ON thing (name)")
FAILURES = Failures(unavailable=BrokerUnavailableError, broken=BrokerError)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "er" / "things.db"


@pytest.fixture
def open_database(path):
    opened = []

    def open_database(schema=SCHEMA, clock=None, query=""):
        opened.append(Database(locate(f"sqlite:///{path}{query}"), schema, FAILURES, clock or FakeClock()))
        return opened[-1]

    yield open_database
    for database in opened:
        database.close()


def add(database, name):
    with database.transaction() as connection:
        connection.execute("INSERT INTO thing VALUES (?)", (name,))


def names(database):
    with database.connection() as connection:
        return [name for (name,) in connection.execute("SELECT name FROM thing ORDER BY name")]


def test_nothing_is_made_before_the_first_use(open_database, path):
    database = open_database()
    assert not path.parent.exists()

    add(database, "a")

    assert path.exists()


def test_two_see_what_either_writes(open_database):
    one, other = open_database(), open_database()
    add(one, "a")
    add(other, "b")

    assert names(one) == names(other) == ["a", "b"]


def test_a_transaction_that_fails_leaves_nothing(open_database):
    database = open_database()

    def fail():
        with database.transaction() as connection:
            connection.execute("INSERT INTO thing VALUES ('a')")
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert names(database) == []
    add(database, "b")
    assert names(database) == ["b"]


@pytest.mark.parametrize(("query", "level"), [("", 2), ("?synchronous=normal", 1)])
def test_a_write_ahead_log_is_kept_as_durable_as_asked_for(open_database, query, level):
    with open_database(query=query).connection() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)


def test_several_users_keep_their_tables_in_one_file(open_database):
    add(open_database(), "a")
    other = open_database(Schema("places", 3, "CREATE TABLE place (name TEXT)"))

    with other.connection() as connection:
        assert connection.execute("SELECT count(*) FROM place").fetchone() == (0,)
        assert connection.execute("SELECT * FROM cloudq_schema ORDER BY part").fetchall() == [
            ("places", 3),
            ("things", 1),
        ]


def test_a_file_gains_the_tables_that_came_later_and_older_programs_go_on_with_it(open_database):
    older = open_database()
    add(older, "a")
    later = Schema("colours", 1, "CREATE TABLE colour (name TEXT)")

    newer = open_database(replace(SCHEMA, additions=(later,)))
    with newer.connection() as connection:
        assert connection.execute("SELECT count(*) FROM colour").fetchone() == (0,)

    add(open_database(), "b")
    assert names(newer) == ["a", "b"]


def test_a_file_of_a_newer_version_is_refused_untouched(open_database, path):
    open_database(Schema("things", 2, "CREATE TABLE thing (name TEXT, colour TEXT)")).state()

    with pytest.raises(
        ConfigurationError, match=r"written by a newer cloudq .*things have version 2, .* 1.: up"
    ):
        open_database().state()


def test_a_file_that_is_no_database_is_left_alone(open_database, path):
    path.parent.mkdir(parents=True)
    path.write_text("Dear diary, " * 100)

    with pytest.raises(BrokerError, match=r"things\.db: it is no SQLite database: name another file"):
        open_database().state()

    assert path.read_text().startswith("Dear diary")


def test_a_directory_in_place_of_the_file_is_reported(open_database, path):
    path.mkdir(parents=True)

    with pytest.raises(BrokerError, match=r"things\.db: it can't be opened"):
        open_database().state()


def test_a_directory_that_can_not_be_made_is_reported(open_database, path):
    path.parent.parent.write_text("a file in the way")

    with pytest.raises(BrokerError, match=r"directory of .*things\.db can't be made: (Not a|File exists)"):
        open_database().state()


def test_a_lock_held_by_others_for_long_is_a_passing_failure(open_database, path, monkeypatch):
    monkeypatch.setattr("cloudq.sqlite.database.BUSY", 0.05)
    add(open_database(), "a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(BrokerUnavailableError, match=r"things\.db: others have held its lock"):
            add(open_database(), "b")


def test_a_statement_that_sqlite_refuses_is_a_lasting_failure(open_database):
    def misspell():
        with open_database().connection() as connection:
            connection.execute("SELEKT 1")

    with pytest.raises(BrokerError, match=r"SQLite refused .*syntax error") as refused:
        misspell()

    assert isinstance(refused.value.__cause__, sqlite3.Error)
    assert not isinstance(refused.value, BrokerUnavailableError)


def test_a_closed_database_is_not_opened_again(open_database):
    database = open_database()
    add(database, "a")
    database.close()
    database.close()

    with pytest.raises(BrokerError, match=r"things\.db was closed"):
        names(database)


def test_an_old_sqlite_is_refused(open_database, monkeypatch):
    monkeypatch.setattr("cloudq.sqlite.schema.OLDEST_SQLITE", (99, 0, 0))

    with pytest.raises(ConfigurationError, match=r"SQLite .* is too old"):
        open_database().state()


def test_a_wait_ends_when_another_connection_writes(open_database):
    clock = SystemClock()
    one, other = open_database(clock=clock), open_database(clock=clock)
    state = one.state()
    waiting = in_thread(lambda: one.wait(state, clock.monotonic() + 60))

    add(other, "a")

    waiting.result(PATIENCE)
    assert one.state() != state


def test_a_wait_ends_when_something_is_announced(open_database):
    clock = FakeClock()  # which stands still, so that no pause ends
    database = open_database(clock=clock)
    state = database.state()
    waiting = in_thread(lambda: database.wait(state, 60.0))

    add(database, "a")
    database.announce()

    waiting.result(PATIENCE)


def test_what_was_announced_before_the_wait_is_not_missed(open_database):
    database = open_database()
    state = database.state()
    database.announce()

    in_thread(lambda: database.wait(state, 60.0)).result(PATIENCE)


def test_a_wait_ends_on_close(open_database):
    database = open_database()
    state = database.state()
    waiting = in_thread(lambda: database.wait(state, 60.0))

    database.close()

    waiting.result(PATIENCE)
