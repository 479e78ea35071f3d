from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from cloudq.brokers.sqlite import connect, sql
from cloudq.clock import FakeClock
from cloudq.delivery import Lost, Outgoing, Reason, Settled
from cloudq.errors import MessageTooLargeError, QueueNotFoundError
from cloudq.queues import Queue


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "queue.db"


@pytest.fixture
def open_broker(path, clock):
    opened = []

    def open_broker():
        opened.append(connect(f"sqlite:///{path}", clock=clock))
        return opened[-1]

    yield open_broker
    for broker in opened:
        broker.close()


def receive(broker, queue, **options):
    return broker.receive([queue], **{"limit": 10, "lease": 30, "wait": 0, **options})


def test_what_was_sent_is_there_when_the_file_is_opened_again(open_broker):
    first = open_broker()
    first.declare(Queue("q.fifo"))
    first.send("q.fifo", [Outgoing("1", b"1", group="a"), Outgoing("2", b"2", group="a")])
    first.close()

    second = open_broker()
    (delivery,) = receive(second, "q.fifo")

    assert delivery.body == b"1"
    assert second.ack([delivery]) == [Settled()]
    assert [one.body for one in receive(second, "q.fifo")] == [b"2"]


def test_a_lease_outlives_the_process_that_took_it(open_broker, clock):
    first = open_broker()
    first.declare(Queue("q"))
    first.send("q", [Outgoing("1", b"1")])
    (delivery,) = receive(first, "q")
    first.close()

    second = open_broker()

    assert receive(second, "q") == []
    assert second.ack([delivery]) == [Settled()]


def test_a_queue_declared_elsewhere_is_found(open_broker):
    one, other = open_broker(), open_broker()
    with pytest.raises(QueueNotFoundError, match=r"There is no queue 'q' in .*queue\.db: declare it first"):
        one.stats("q")

    other.declare(Queue("q"))

    assert one.stats("q").ready == 0


def test_a_message_number_is_never_used_again(open_broker):
    """Or the receipt of a message that is gone would settle the one that has its number now."""
    broker = open_broker()
    broker.declare(Queue("q"))
    broker.send("q", [Outgoing("1", b"1")])
    (gone,) = receive(broker, "q")
    broker.ack([gone])
    broker.send("q", [Outgoing("2", b"2")])
    (here,) = receive(broker, "q")

    assert gone.receipt != here.receipt


def test_a_batch_of_which_one_is_too_large_is_refused_whole(open_broker):
    broker = open_broker()
    broker.declare(Queue("q"))
    limit = broker.limits.max_body_bytes

    with pytest.raises(MessageTooLargeError, match=f"has {limit + 1} bytes, SQLite takes {limit}"):
        broker.send("q", [Outgoing("1", b"1"), Outgoing("2", bytes(limit + 1))])

    assert broker.stats("q").ready == 0


def test_dead_lettering_without_a_dead_letter_queue_leaves_the_message_where_it_is(open_broker):
    broker = open_broker()
    broker.declare(Queue("q"))
    broker.send("q-dead", [Outgoing("1", b"1")])
    (delivery,) = receive(broker, "q-dead")

    with pytest.raises(QueueNotFoundError, match="q-dead-dead"):
        broker.dead_letter([(delivery, Reason("failed", "It failed."))])

    assert broker.ack([delivery]) == [Settled()]


@pytest.mark.parametrize(
    "foreign",
    [
        "body = '{}'",
        "body = 12",
        "attributes = 'no JSON'",
        "attributes = '[1]'",
        'reason = \'{"mood": "bad"}\'',
        "sent_at = 'soon'",
        "message_id = x'ff'",
        "message_id = CAST(x'ff' AS TEXT)",
        "receive_count = 'x', lease_count = 'y'",
    ],
)
def test_a_row_that_another_program_wrote_stands_in_nobodys_way(open_broker, path, foreign):
    broker = open_broker()
    broker.declare(Queue("q"))
    broker.send("q", [Outgoing("theirs", b"{}"), Outgoing("ours", b"{}")])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE cloudq_message SET {foreign} WHERE id = 1")

    assert "ours" in {one.id for one in broker.peek("q", 10)}
    deliveries = receive(broker, "q")

    assert "ours" in {one.id for one in deliveries}
    assert all(isinstance(one.body, bytes) and one.receive_count == 1 for one in deliveries)
    dead = [(one, Reason("bad_body", "It is no message.")) for one in deliveries]
    assert broker.dead_letter(dead) == [Settled()] * 2
    assert broker.stats("q").dead == 2


def remove(path):
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


def test_a_file_that_was_deleted_is_made_anew_and_said_to_be_lost(open_broker, path, caplog):
    broker = open_broker()
    broker.declare(Queue("q"))
    broker.send("q", [Outgoing("old", b"{}")])
    (held,) = receive(broker, "q")

    remove(path)

    with pytest.raises(QueueNotFoundError):
        broker.send("q", [Outgoing("refused", b"{}")])
    assert [vars(one)["action"] for one in caplog.records] == ["database_replaced"]
    open_broker().declare(Queue("q"))
    broker.send("q", [Outgoing("new", b"{}")])
    assert [one.id for one in receive(open_broker(), "q")] == ["new"]
    assert broker.ack([held]) == [Lost()]  # though the new message lies in the row that the old one had


def test_a_file_that_another_process_replaced_is_the_one_that_is_received_from(open_broker, path):
    broker, other = open_broker(), open_broker()
    broker.declare(Queue("q"))
    broker.send("q", [Outgoing("old", b"{}")])
    remove(path)
    other.declare(Queue("q"))
    other.send("q", [Outgoing("new", b"{}")])

    assert [one.id for one in receive(broker, "q")] == ["new"]


LOOKS = ("QUEUES", "PEEK_FIFO")
"""What a person asks for, now and then: no worker waits for it."""


def statements():
    return {
        name: text
        for name, text in vars(sql).items()
        if isinstance(text, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE)", text) and name not in LOOKS
    }


@pytest.mark.parametrize("name", statements())
def test_no_statement_reads_a_table_from_end_to_end(open_broker, path, name):
    open_broker().declare(Queue("q"))
    text = statements()[name]
    values = dict.fromkeys(re.findall(r":(\w+)", text), 1) or [1] * text.count("?")

    with closing(sqlite3.connect(path)) as connection:
        plan = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]

    assert not [step for step in plan if step.startswith("SCAN") and "CONSTANT" not in step]
    assert not [step for step in plan if "TEMP B-TREE" in step]
