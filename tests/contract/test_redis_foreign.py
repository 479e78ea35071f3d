"""What becomes of the messages beside what another program wrote under a queue's keys."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import redis

from cloudq.brokers import redis as brokers
from cloudq.clock import SystemClock
from cloudq.delivery import Outgoing, Reason, Release, Settled, Unknown
from cloudq.errors import BrokerError, QueueNotFoundError
from cloudq.queues import Queue
from tests.redis_server import redis_url


@pytest.fixture
def url():
    with redis_url() as url:
        yield url


@pytest.fixture
def client(url):
    with redis.Redis.from_url(url.partition("?")[0]) as client:
        yield client


@pytest.fixture
def key(url):
    return f"{url.partition('=')[2]}:1:{{q}}"


@pytest.fixture
def broker(url):
    broker = brokers.connect(url, clock=SystemClock())
    broker.declare(Queue("q"))
    yield broker
    broker.close()


def send(broker, *ids, queue="q", **options):
    broker.send(queue, [Outgoing(one, b"{}", **options) for one in ids])


def receive(broker, *queues, lease=60.0, wait=0.0):
    return broker.receive(queues or ("q",), limit=10, lease=lease, wait=wait)


@pytest.mark.parametrize(
    "element", [b"", b"hello", b'{"task": "tasks.add"}', b"\xff\xfe", b"a b", b"1-2-3:x"]
)
def test_what_another_program_pushed_comes_as_a_message_beside_the_others(broker, client, key, element):
    send(broker, "before")
    client.rpush(f"{key}:ready", element)
    send(broker, "after")

    assert [one.id for one in broker.peek("q", 10)] == ["before", "after"]
    assert broker.stats("q").ready == 2
    first, foreign, last = receive(broker)

    assert (first.id, foreign.body, last.id) == ("before", element, "after")
    assert broker.ack([first, foreign, last]) == [Settled()] * 3
    assert client.keys(f"{key}:*") == []


def test_a_body_that_another_program_added_comes_under_a_name_of_ours(broker, client, key):
    client.hset(f"{key}:body", "theirs", "who\nwhat")
    client.rpush(f"{key}:ready", "theirs")

    (shown,) = broker.peek("q", 10)
    (foreign,) = receive(broker)

    assert (shown.id, shown.sent_at) == ("who", None)
    assert (foreign.id, foreign.body) == ("who", b"what")
    assert broker.ack([foreign]) == [Settled()]


@pytest.mark.parametrize("name", ["leased", "delayed"])
def test_what_another_program_scheduled_keeps_no_message_from_coming_back(broker, client, key, name):
    send(broker, "a")
    receive(broker, lease=0.05)
    client.zadd(f"{key}:{name}", {"weird": 0})

    found = [*receive(broker, wait=5), *receive(broker, wait=1)]

    assert "a" in {one.id for one in found}
    assert len(found) == 2


@pytest.fixture
def usurped(client, key):
    """Let a key be of another type for a while."""

    @contextmanager
    def usurped(name):
        kept = client.dump(f"{key}:{name}")
        client.set(f"{key}:{name}", "theirs")
        yield
        client.delete(f"{key}:{name}")
        if kept is not None:
            client.restore(f"{key}:{name}", 0, kept)

    return usurped


@pytest.mark.parametrize("name", ["leased", "body"])
def test_a_key_of_another_type_loses_no_message_that_waits(broker, usurped, name):
    send(broker, "a", "b")

    with usurped(name), pytest.raises(BrokerError, match="used by another program"):
        receive(broker)

    assert [one.id for one in receive(broker)] == ["a", "b"]


@pytest.mark.parametrize("name", ["ready", "body"])
def test_a_key_of_another_type_loses_no_message_that_is_given_back(broker, usurped, name):
    send(broker, "a", "b")
    held = receive(broker)

    with usurped(name):
        (released,) = broker.release([Release(held[0])])
        (dead,) = broker.dead_letter([(held[1], Reason("failed", "It failed."))])

    assert isinstance(released, Unknown)
    assert isinstance(dead, Unknown)
    assert broker.release([Release(one) for one in held]) == [Settled()] * 2
    assert [one.id for one in receive(broker)] == ["a", "b"]


def test_a_queue_that_fails_strands_nothing_of_those_before_it(broker, client, key):
    broker.declare(Queue("r"))
    send(broker, "a")
    send(broker, "b", queue="r")
    client.set(key.replace("{q}", "{r}") + ":leased", "theirs")

    assert [one.id for one in receive(broker, "q", "r")] == ["a"]
    with pytest.raises(BrokerError, match="used by another program"):
        receive(broker, "q", "r")


def test_a_lease_ends_in_a_queue_whose_hash_was_deleted_and_made_anew(broker, client, key):
    send(broker, "a")
    receive(broker, lease=0.05)
    client.delete(key)
    broker.declare(Queue("q"))

    assert [one.id for one in receive(broker, wait=5)] == ["a"]


def test_a_group_whose_followers_were_deleted_is_settled_and_goes_on(broker, client, key):
    broker.declare(Queue("q.fifo"))
    send(broker, "a", "b", queue="q.fifo", group="g")
    held = receive(broker, "q.fifo")
    client.delete(f"{key}.fifo:behind:g")

    assert broker.ack(held) == [Settled()]
    send(broker, "c", queue="q.fifo", group="g")
    assert [one.id for one in receive(broker, "q.fifo")] == ["c"]


def test_a_dead_letter_queue_that_was_deleted_is_named_and_can_be_declared_anew(broker, client, key):
    send(broker, "a")
    (held,) = receive(broker)
    client.delete(f"{key}-dead")

    with pytest.raises(QueueNotFoundError, match="q-dead"):
        broker.dead_letter([(held, Reason("failed", "It failed."))])

    broker.declare(Queue("q"))
    assert broker.dead_letter([(held, Reason("failed", "It failed."))]) == [Settled()]
