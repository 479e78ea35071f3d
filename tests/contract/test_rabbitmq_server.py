"""What RabbitMQ has and other brokers haven't: exchanges, foreign clients, consumers, arguments, channels."""

from __future__ import annotations

import logging
import uuid
from concurrent.futures import ThreadPoolExecutor

import pika
import pytest

import cloudq
from cloudq.brokers.rabbitmq import connect, delays, sender, topology
from cloudq.brokers.rabbitmq.connection import Connection
from cloudq.brokers.rabbitmq.frames import Properties
from cloudq.brokers.rabbitmq.publisher import NO_EXCHANGE, Publication
from cloudq.brokers.rabbitmq.urls import parse
from cloudq.clock import SystemClock
from cloudq.delivery import Lost, NotSent, Outgoing, Reason, Release, Sent, Settled, Unknown
from cloudq.errors import BrokerUnavailableError, ConfigurationError, QueueNotFoundError
from cloudq.queues import Queue
from cloudq.sending import Place
from cloudq.testing.steps import PATIENCE, in_thread, until
from tests.rabbitmq_server import URL, AheadClock, broker_on_server, delete, pika_connection

HOST = pika.URLParameters(URL)


def unique(name="server"):
    return f"{name}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def clock():
    return AheadClock()


@pytest.fixture
def broker(clock):
    with broker_on_server(clock=clock) as broker:
        yield broker


@pytest.fixture
def other():
    """Another process's broker."""
    with broker_on_server() as broker:
        yield broker


@pytest.fixture
def channel():
    """pika's, to check against."""
    connection = pika_connection()
    yield connection.channel()
    if connection.is_open:
        connection.close()


@pytest.fixture
def queue(broker):
    queue = Queue(unique())
    broker.declare(queue)
    return queue


@pytest.fixture
def app_on_server():
    """An app, and its queue, which subscribes to a topic."""
    name = unique()
    queue = Queue(name, topics=(f"{name}.created",))
    app = cloudq.App("test", broker=URL, backend="disabled", environ={}, queues=[queue])
    yield app, queue
    app.close()
    delete(queue.name, queue.dead_letter)


@pytest.fixture
def exchange(channel):
    name = unique("exchange")
    yield name
    channel.exchange_delete(name)


def take(broker, queue, count=1, lease=30.0):
    taken = []

    def has_taken():
        taken.extend(broker.receive([queue.name], limit=count - len(taken), lease=lease, wait=0.2))
        return len(taken) == count

    until(has_taken, f"{count} messages")
    return taken


def send(broker, queue, *bodies):
    assert broker.send(queue.name, [Outgoing(unique(), body) for body in bodies]) == [Sent()] * len(bodies)


@pytest.mark.parametrize(
    ("kind", "key", "published", "arrive"),
    [
        ("topic", "user.*", ["user.new", "order.new", "user.gone"], [b"user.new", b"user.gone"]),
        ("fanout", "", ["any", "thing"], [b"any", b"thing"]),
        ("direct", "user", ["user", "user.new"], [b"user"]),
    ],
)
def test_a_queue_gets_what_others_publish_to_its_exchange(
    broker, channel, exchange, kind, key, published, arrive
):
    queue = Queue(unique(), exchange=exchange, exchange_type=kind, routing_key=key)
    broker.declare(queue)

    for routing_key in published:
        channel.basic_publish(exchange, routing_key, routing_key.encode())

    taken = take(broker, queue, len(arrive))
    assert [one.body for one in taken] == arrive
    assert broker.ack(taken) == [Settled()] * len(arrive)


def test_a_topic_may_be_subscribed_to_with_wildcards_by_others(broker, channel):
    topic = f"server.{uuid.uuid4().hex[:8]}"
    broker.declare(queue := Queue(unique(), topics=(f"{topic}.created",)))
    theirs = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(theirs, "cloudq.topics", f"{topic}.*")

    broker.publish(f"{topic}.created", [Outgoing(unique(), b"1")])

    assert take(broker, queue)[0].body == b"1"
    until(lambda: channel.basic_get(theirs, auto_ack=True)[2] == b"1", "the copy of the other client")


def test_a_message_of_another_client_is_received_retried_and_dead_lettered(broker, channel, queue):
    properties = pika.BasicProperties(content_type="text/plain", headers={"colour": "red", "size": 3})
    channel.basic_publish("", queue.name, b"theirs", properties)

    (first,) = take(broker, queue)
    broker.release([Release(first, delay=0.1, body=b"changed")])
    (second,) = take(broker, queue)
    broker.dead_letter([(second, Reason("failed", "It failed.", traceback="x" * 500_000))])

    assert (first.body, first.attributes, first.sent_at) == (b"theirs", {"colour": "red"}, None)
    assert (second.body, second.receive_count, second.id) == (b"changed", 2, second.id)
    _, found, body = channel.basic_get(queue.dead_letter, auto_ack=True)
    assert (body, found.content_type, found.headers["size"]) == (b"changed", "text/plain", 3)


def test_headers_that_make_no_sense_hide_no_message(broker, channel, queue):
    headers = {"cloudq-count": "many", "cloudq-reason": "{broken", "cloudq-group": 3, "x-death": "no list"}
    channel.basic_publish("", queue.name, b"odd", pika.BasicProperties(headers=headers))

    (one,) = take(broker, queue)

    assert (one.body, one.receive_count, one.group, one.attributes) == (b"odd", 1, None, {})
    assert one.reason.code == "unknown"


def test_a_message_is_retried_with_delays_again_and_again(broker, queue):
    """A copy that kept its `x-death` would vanish the second time."""
    send(broker, queue, b"1")

    for attempt in range(1, 5):
        (one,) = take(broker, queue)
        assert one.receive_count == attempt
        assert broker.release([Release(one, delay=0.2)]) == [Settled()]

    assert take(broker, queue)[0].receive_count == 5


def test_what_another_consumer_rejects_too_often_or_for_good_says_so(broker, channel, queue):
    send(broker, queue, b"1")
    until(
        lambda: (
            (got := channel.basic_get(queue.name))[0]
            and channel.basic_reject(got[0].delivery_tag, requeue=False) is None
        ),
        "a reject",
    )

    (dead,) = take(broker, Queue(queue.dead_letter))

    assert (dead.reason.code, dead.reason.queue) == ("rejected", queue.name)


def test_no_more_is_taken_from_others_than_was_asked_for(broker, other, queue):
    send(broker, queue, *(b"%d" % number for number in range(10)))

    take(broker, queue, 3)

    assert len(take(other, queue, 7)) == 7


def test_what_was_delivered_ahead_goes_to_others_once_nobody_asks(broker, other, clock, queue):
    send(broker, queue, *(b"%d" % number for number in range(10)))
    held = take(broker, queue, 4)
    broker.ack(held)  # now as many more are delivered ahead

    clock.advance(2)

    assert len(take(other, queue, 6)) == 6


def test_a_consumer_that_found_nothing_leaves_what_comes_later_to_others(broker, other, clock, queue):
    assert broker.receive([queue.name], limit=1, lease=30, wait=0) == []

    clock.advance(2)
    send(other, queue, b"1")

    assert take(other, queue)[0].body == b"1"


def test_a_consumer_is_not_ended_between_a_look_and_the_wait_after_it(broker, queue, monkeypatch):
    assert broker.receive([queue.name], limit=1, lease=30, wait=0) == []
    receiver = broker._links.get().receiver
    look = receiver._look_round

    def look_and_rest(*args, **options):
        found = look(*args, **options)
        receiver.stream(queue.name).rest()  # as a release does, in another thread
        return found

    monkeypatch.setattr(receiver, "_look_round", look_and_rest)
    waiting = in_thread(lambda: broker.receive([queue.name], limit=1, lease=30, wait=2 * PATIENCE))
    send(broker, queue, b"1")

    assert len(waiting.result(PATIENCE)) == 1


def test_who_wakes_the_reading_thread_while_it_ticks_has_it_tick_again(broker):
    ticks: list[float] = []

    def tick(now):
        ticks.append(now)
        if len(ticks) == 2:
            connection.wake()
        return float("inf")

    connection = Connection(parse(URL), SystemClock(), "test", tick)
    until(lambda: len(ticks) == 1, "tick at the beginning")

    connection.wake()

    until(lambda: len(ticks) == 3, "tick for whoever woke it amid another")
    connection.close()


def test_looking_into_a_queue_leaves_no_channel_behind(broker, queue):
    send(broker, queue, b"1")

    for _ in range(3):
        assert len(broker.peek(queue.name, 5)) == 1

    assert len(broker._links.get()._publisher._connection._channels) == 2  # one publishes, one calls


def test_a_lease_that_is_never_extended_ends_though_nobody_receives(broker, other, clock, queue):
    send(broker, queue, b"1")
    take(broker, queue, lease=30)

    clock.advance(31)

    assert take(other, queue)[0].receive_count == 2


def test_a_lease_ends_before_the_server_would_close_the_channel(clock):
    with broker_on_server("?ack_timeout=100", clock) as broker:
        broker.declare(queue := Queue(unique()))
        send(broker, queue, b"1")
        (one,) = take(broker, queue)
        assert broker.extend([(one, 90)]) == [Settled()]

        clock.advance(60)

        assert broker.ack([one]) == [Lost()]


def test_closing_returns_what_was_held_at_once(broker, other, queue):
    send(broker, queue, b"1", b"2")
    take(broker, queue, 2)

    broker.close()

    assert len(take(other, queue, 2)) == 2


def test_a_receipt_of_a_lost_connection_is_lost(broker, queue):
    send(broker, queue, b"1")
    (one,) = take(broker, queue)
    broker._links.get().receiver._connection._wire._socket.shutdown(2)

    until(lambda: broker.ack([one]) == [Lost()], "end of the connection")

    assert take(broker, queue)[0].receive_count == 2


def test_sending_connects_again_after_the_connection_was_lost(broker, queue):
    send(broker, queue, b"1")
    connection = broker._links.get()._publisher._connection
    connection._wire._socket.shutdown(2)
    until(lambda: connection.failure is not None, "end of the connection")

    send(broker, queue, b"2")

    assert sorted(one.body for one in take(broker, queue, 2)) == [b"1", b"2"]


def test_what_one_thread_is_refused_is_not_told_to_another(broker, queue):
    def ask(number):
        if number % 2:
            broker.declare(queue)
        else:
            with pytest.raises(QueueNotFoundError):
                broker._links.get().topology.count("server-missing")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(ask, range(80)))


def test_a_queue_that_is_deleted_ends_a_wait_and_can_be_made_again(broker, channel, queue):
    waiting = in_thread(lambda: broker.receive([queue.name], limit=1, lease=30, wait=PATIENCE))
    until(lambda: channel.queue_declare(queue.name, passive=True).method.consumer_count == 1, "a consumer")

    channel.queue_delete(queue.name)

    with pytest.raises(QueueNotFoundError, match=queue.name):
        waiting.result(PATIENCE)
    with pytest.raises(QueueNotFoundError, match=queue.name):
        broker.receive([queue.name], limit=1, lease=30, wait=0)
    broker.declare(queue)
    send(broker, queue, b"1")
    assert take(broker, queue)[0].body == b"1"
    assert len(broker._links.get().receiver._connection._channels) == 1
    assert len(broker._links.get().receiver._epochs) == 1


def test_a_consumer_that_the_server_forgot_is_noticed_and_loses_nothing(broker, clock, queue):
    assert broker.receive([queue.name], limit=1, lease=30, wait=0) == []
    stream = broker._links.get().receiver.stream(queue.name)
    stream.channel.on_content = lambda content: None  # what is delivered never arrives
    send(broker, queue, b"1")
    assert broker.receive([queue.name], limit=1, lease=30, wait=0) == []

    clock.advance(31)

    assert take(broker, queue)[0].body == b"1"
    assert not stream.is_open


def test_a_channel_that_was_quiet_for_long_is_replaced_and_not_piled_up(broker, clock, queue):
    for _ in range(3):
        assert broker.receive([queue.name], limit=1, lease=30, wait=0) == []
        clock.advance(31)
    send(broker, queue, b"1")

    (one,) = take(broker, queue)
    clock.advance(20)
    assert broker.extend([(one, 30)]) == [Settled()]
    clock.advance(20)
    broker.receive([queue.name], limit=1, lease=30, wait=0)  # what is held keeps its channel

    assert broker.ack([one]) == [Settled()]
    assert len(broker._links.get().receiver._connection._channels) == 1


def test_a_queue_with_other_arguments_is_refused_with_what_to_do(broker, channel):
    name = unique()
    channel.queue_declare(name, durable=True)

    with pytest.raises(ConfigurationError, match="with other arguments"):
        broker.declare(Queue(name))

    delete(name, Queue(name).dead_letter)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param(f"amqp://nobody:wrong@{HOST.host}:{HOST.port}/", "'nobody'", id="user"),
        pytest.param(URL.rstrip("/") + "/no-such-vhost", "no-such-vhost", id="vhost"),
    ],
)
def test_who_is_refused_is_told_which_setting_to_look_at(url, why):
    pika_connection().close()
    broker = connect(url, clock=SystemClock())

    with pytest.raises(ConfigurationError, match=why) as refused:
        broker.send("any", [Outgoing("1", b"{}")])

    assert "wrong" not in str(refused.value)


def test_who_finds_no_server_is_told_where_none_was():
    broker = connect("amqp://127.0.0.1:1", clock=SystemClock())

    with pytest.raises(BrokerUnavailableError, match="be reached"):
        broker.send("any", [Outgoing("1", b"{}")])


def test_the_connections_outlive_idle_hours(caplog):
    with broker_on_server("?heartbeat=1") as broker:
        broker.declare(queue := Queue(unique()))
        links = broker._links.get()
        broker.receive([queue.name], limit=1, lease=30, wait=0)
        connections = [links._publisher._connection, links.receiver._connection]
        said = [one._said_at for one in connections]

        # The server hangs up after two intervals without a sign of life.
        until(lambda: all(one._said_at > at + 2 for one, at in zip(connections, said, strict=True)), "signs")

        assert [one.failure for one in connections] == [None, None]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.fixture
def unconfirmed(other, queue):
    """What publishes, and a send that waits: its confirmation is passed over."""
    send(other, queue, b"0")
    publisher = other._links.get()._publisher
    publisher._confirmed.on_confirmation = lambda _: None
    sending = in_thread(lambda: other.send(queue.name, [Outgoing("1", b"1")]))
    until(lambda: publisher._pending, "message on its way")
    return publisher, sending


def test_who_waits_for_a_confirmation_hears_at_once_of_the_connections_end(unconfirmed):
    publisher, sending = unconfirmed

    publisher._connection._wire._socket.shutdown(2)

    (answer,) = sending.result(PATIENCE)
    assert isinstance(answer, Unknown)


def test_who_waits_for_a_confirmation_hears_at_once_of_the_channels_end(unconfirmed):
    publisher, sending = unconfirmed

    answers = publisher.publish(
        [Publication("2", unique("no exchange"), "", Properties("2", {}).encode(), b"")]
    )

    (answer,) = sending.result(PATIENCE)
    assert isinstance(answer, Unknown)
    assert answers == [NO_EXCHANGE]


def test_thousands_of_messages_are_confirmed_in_one_call(broker, queue):
    send(broker, queue, *(b"%d" % number for number in range(3000)))

    assert broker.stats(queue.name).ready == 3000


def test_an_attribute_that_cannot_travel_fails_alone(broker, queue):
    answers = broker.send(
        queue.name,
        [
            Outgoing("1", b"1"),
            Outgoing("2", b"2", attributes={"k" * 300: "v"}),
            Outgoing("3", b"3", attributes={"k": "v" * 200_000}),
            Outgoing("4", b"4"),
        ],
    )

    assert [type(answer).__name__ for answer in answers] == ["Sent", "NotSent", "NotSent", "Sent"]
    assert sorted(one.body for one in take(broker, queue, 2)) == [b"1", b"4"]


def test_a_purge_reaches_what_is_delayed(broker, queue):
    broker.send(queue.name, [Outgoing("1", b"1", delay=60), Outgoing("2", b"2", delay=3600)])
    assert broker.stats(queue.name).delayed == 2

    broker.purge(queue.name)

    assert broker.stats(queue.name).delayed == 0


def test_a_delay_finds_its_way_after_its_levels_were_deleted(broker, channel, queue):
    broker.send(queue.name, [Outgoing("1", b"1", delay=0.1)])
    take(broker, queue)
    channel.queue_delete(f"{queue.name}.delay.0")

    with pytest.raises(QueueNotFoundError):
        broker.send(queue.name, [Outgoing("2", b"2", delay=0.1)])

    assert broker.send(queue.name, [Outgoing("3", b"3", delay=0.1)]) == [Sent()]
    assert take(broker, queue)[0].body == b"3"


def test_a_dead_letter_queue_that_was_deleted_is_named_and_can_be_made_again(broker, channel, queue):
    broker.send(queue.name, [Outgoing("a", b"{}")])
    (held,) = broker.receive([queue.name], limit=1, lease=60, wait=PATIENCE)
    channel.queue_delete(queue.dead_letter)

    with pytest.raises(QueueNotFoundError, match=queue.dead_letter):
        broker.dead_letter([(held, Reason("failed", "It failed."))])

    broker.declare(queue)
    assert broker.dead_letter([(held, Reason("failed", "It failed."))]) == [Settled()]


@pytest.fixture
def own_exchanges(monkeypatch, channel):
    """Exchanges that this test alone uses, which it may delete: the others are every queue's."""
    prefix = unique("exchanges")
    names = {level: f"{prefix}.{level}" for level in range(-1, delays.LEVELS)}
    monkeypatch.setattr(delays, "exchange", names.__getitem__)
    for module in (sender, topology):
        monkeypatch.setattr(module, "TOPICS", f"{prefix}.topics")

    def delete():
        for name in (f"{prefix}.topics", *names.values()):
            channel.exchange_delete(name)

    yield delete
    delete()


def test_delays_outlive_the_loss_of_their_exchanges(own_exchanges, broker, queue):
    send(broker, queue, b"1")
    (one,) = take(broker, queue)
    broker.release([Release(one, delay=0.1)])
    (one,) = take(broker, queue)
    own_exchanges()

    first = broker.release([Release(one, delay=0.1)])

    assert first == [Unknown("its exchange was deleted; it is declared anew at the next try")]
    assert broker.release([Release(one, delay=0.1)]) == [Settled()]
    assert take(broker, queue)[0].body == b"1"


def test_an_app_sends_with_a_delay_though_the_exchanges_were_deleted(own_exchanges, app_on_server):
    app, queue = app_on_server
    send_later = [Outgoing(unique(), b"later", delay=0.1)]
    assert app._put(Place(queue.name), send_later) == [Sent()]
    take(app.broker, queue)
    own_exchanges()

    assert app._put(Place(queue.name), send_later) == [Sent()]

    assert take(app.broker, queue)[0].body == b"later"


def test_an_app_publishes_to_its_subscribers_though_the_exchange_was_deleted(own_exchanges, app_on_server):
    app, queue = app_on_server
    topic = Place(queue.topics[0], is_topic=True)
    assert app._put(topic, [Outgoing(unique(), b"first")]) == [Sent()]
    own_exchanges()

    assert app._put(topic, [Outgoing(unique(), b"second")]) == [Sent()]

    assert [one.body for one in take(app.broker, queue, 2)] == [b"first", b"second"]


def test_a_queue_is_bound_anew_though_its_exchange_was_deleted(own_exchanges, broker):
    queue = Queue(unique(), topics=(f"topic.{unique()}",))
    broker.declare(queue)
    own_exchanges()

    with pytest.raises(BrokerUnavailableError, match="no exchange"):
        broker.declare(queue)
    broker.declare(queue)

    assert broker.publish(queue.topics[0], [Outgoing(unique(), b"1")]) == [Sent()]
    assert take(broker, queue)[0].body == b"1"


def test_what_the_server_expired_says_so(broker, channel, queue):
    channel.basic_publish("", queue.name, b"short-lived", pika.BasicProperties(expiration="1"))

    (dead,) = take(broker, Queue(queue.dead_letter))

    assert (dead.body, dead.reason.code, dead.reason.queue) == (b"short-lived", "expired", queue.name)


def test_after_a_refusal_messages_go_through_another_channel(broker, channel):
    queue = Queue(unique())
    broker.declare(queue)
    channel.queue_declare(full := unique(), arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
    send(broker, queue, b"1")
    publisher = broker._links.get()._publisher
    first = publisher._confirmed
    before = len(publisher._connection._channels)

    refused = broker.send(full, [Outgoing(unique(), b"2")])
    send(broker, queue, b"3")

    assert [type(one) for one in refused] == [NotSent]
    assert publisher._confirmed is not first
    assert len(publisher._connection._channels) == before
    channel.queue_delete(full)
