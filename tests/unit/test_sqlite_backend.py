from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from cloudq.backends.sqlite import connect
from cloudq.brokers import sqlite as brokers
from cloudq.clock import FakeClock, SystemClock
from cloudq.delivery import Outgoing
from cloudq.queues import Queue
from cloudq.testing.steps import PATIENCE, in_thread


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
def backend(path, clock):
    backend = connect(f"sqlite:///{path}", clock=clock)
    yield backend
    backend.close()


def count(path, table):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_expired_values_are_removed_by_later_writes(backend, path, clock):
    backend.put_many({str(number): b"" for number in range(150)}, ttl=10)
    clock.advance(10)

    backend.put("a", b"1")
    assert count(path, "cloudq_value") == 51
    backend.put("b", b"1")
    assert count(path, "cloudq_value") == 2


def test_expired_sets_are_removed_with_their_members_by_later_additions(backend, path, clock):
    for member in "abc":
        backend.add_member("old", member, b"", ttl=10)
    clock.advance(10)

    backend.add_member("new", "d", b"")

    assert count(path, "cloudq_set") == count(path, "cloudq_member") == 1


def test_values_are_there_when_the_file_is_opened_again(backend, path, clock):
    backend.put("key", b"1")
    backend.close()

    again = connect(f"sqlite:///{path}", clock=clock)

    assert again.get("key") == b"1"
    again.close()


def test_broker_and_backend_may_share_a_file(backend, path, clock):
    broker = brokers.connect(f"sqlite:///{path}", clock=clock)
    broker.declare(Queue("q"))
    broker.send("q", [Outgoing("1", b"1")])
    backend.put("1", b"done")

    assert backend.get("1") == b"done"
    assert broker.stats("q").ready == 1
    broker.close()


def test_a_wait_ends_when_the_value_changes_through_another_connection(path):
    one, other = (connect(f"sqlite:///{path}", clock=SystemClock()) for _ in range(2))
    one.put("key", b"1")
    waiting = in_thread(lambda: one.wait(["key"], 60, known={"key": b"1"}))

    other.put("unrelated", b"2")
    other.put("key", b"2")

    waiting.result(PATIENCE)
    one.close()
    other.close()
