"""What becomes of the Redis broker's calls when its server fails, refuses or forgets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cloudq.backends import redis as backends
from cloudq.backends.base import Change
from cloudq.brokers import redis as brokers
from cloudq.clock import SystemClock
from cloudq.delivery import NotSent, Outgoing, Reason, Release, Sent, Settled, Unknown
from cloudq.errors import BrokerError, BrokerUnavailableError, ConfigurationError, QueueNotFoundError
from cloudq.queues import Queue
from cloudq.redis import Failures, Server, locate
from cloudq.testing.steps import PATIENCE, in_thread, until
from tests.redis_server import RedisServer, free_port

QUEUE = Queue("q")
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "redis.md"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def start(tmp_path):
    started = []

    def start(**options):
        started.append(RedisServer(tmp_path, **options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def connect():
    made = []

    def connect(url):
        made.append(brokers.connect(url, clock=SystemClock()))
        return made[-1]

    yield connect
    for broker in made:
        broker.close()


def message(number=0, body=b"{}"):
    return Outgoing(f"m{number}", body)


def receive(broker, limit=10, wait=0.0):
    return broker.receive(["q"], limit=limit, lease=60, wait=wait)


def test_a_server_that_is_not_there_is_named_without_its_password(connect):
    broker = connect("redis://me:secret@127.0.0.1:1/0")

    with pytest.raises(
        BrokerUnavailableError, match=r"can't be reached at redis://127\.0\.0\.1:1/0"
    ) as caught:
        broker.send("q", [message()])

    assert "secret" not in str(caught.value)


def test_what_was_sent_and_leased_is_there_after_a_server_is_killed(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)
    assert broker.send("q", [message(number) for number in range(3)]) == [Sent()] * 3
    (held,) = receive(broker, limit=1)

    server.kill()
    with pytest.raises(BrokerUnavailableError):
        broker.stats("q")
    server.start()

    assert sorted(one.id for one in receive(broker)) == ["m1", "m2"]
    assert broker.ack([held]) == [Settled()]


def waiting_receive(server, connect):
    """A broker of which one thread waits for a message."""
    broker = connect(server.url)
    broker.declare(QUEUE)
    waiting = in_thread(lambda: receive(broker, wait=PATIENCE))
    until(lambda: server.client.info("clients")["blocked_clients"] == 1, "blocked receive")
    return broker, waiting


def test_a_receive_that_waits_tells_that_its_server_was_killed(start, connect):
    server = start()
    _, waiting = waiting_receive(server, connect)

    server.kill()

    with pytest.raises(BrokerUnavailableError):
        waiting.result(PATIENCE)


def test_a_receive_that_waits_ends_when_its_broker_is_closed(start, connect):
    server = start()
    broker, waiting = waiting_receive(server, connect)

    broker.close()

    assert waiting.result(PATIENCE) == []
    until(lambda: server.client.info("clients")["blocked_clients"] == 0, "the wait's end")


def test_a_receive_that_waits_brings_what_is_sent_though_the_server_forgot_its_scripts(start, connect):
    server = start()
    broker, waiting = waiting_receive(server, connect)

    server.client.script_flush()
    broker.send("q", [message(1)])

    assert [one.id for one in waiting.result(PATIENCE)] == ["m1"]


def test_a_server_that_does_not_answer_leaves_it_open_whether_a_message_was_sent(start, connect):
    server = start()
    broker = connect(f"{server.url}?socket_timeout=0.2")
    broker.declare(QUEUE)
    (held, other) = [broker.send("q", [message(number)]) and receive(broker)[0] for number in range(2)]
    server.freeze()

    (sent,) = broker.send("q", [message(2)])
    (acked,) = _retried(lambda: broker.ack([held]))

    assert isinstance(sent, Unknown)
    assert "gave no answer" in sent.why
    assert isinstance(acked, Unknown)
    server.thaw()
    assert broker.ack([other]) == [Settled()]


def _retried(call):
    """Past a connection that can't be made while a server is frozen."""
    try:
        return call()
    except BrokerUnavailableError as error:
        return [Unknown(str(error))]


def test_scripts_that_a_server_forgot_are_told_again(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)
    broker.send("q", [message(1)])

    server.client.script_flush()

    assert broker.send("q", [message(2)]) == [Sent()]
    server.client.script_flush()
    assert broker.ack(receive(broker)) == [Settled(), Settled()]


def test_a_connection_that_the_server_closed_is_replaced_unseen(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)

    server.client.client_kill_filter(_type="normal", skipme=True)

    assert broker.send("q", [message()]) == [Sent()]


def test_queues_that_a_server_forgot_are_missed_and_can_be_declared_anew(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)
    broker.send("q", [message()])
    (held,) = receive(broker)
    waiting = in_thread(lambda: receive(broker, wait=PATIENCE))
    until(lambda: server.client.info("clients")["blocked_clients"] == 1, "blocked receive")

    server.client.flushall()

    with pytest.raises(QueueNotFoundError, match="no queue 'q' in Redis at"):
        waiting.result(PATIENCE)
    with pytest.raises(QueueNotFoundError):
        broker.dead_letter([(held, Reason("failed", "It failed."))]) and broker.send("q", [message()])
    broker.declare(QUEUE)
    assert broker.send("q", [message()]) == [Sent()]
    assert len(receive(broker)) == 1


@pytest.mark.parametrize("credentials", ["", ":wrong@", "nobody:right@"])
def test_a_server_that_wants_other_credentials_says_where_they_go(start, connect, credentials):
    server = start(requirepass="right")
    broker = connect(server.url.replace("//", f"//{credentials}"))

    with pytest.raises(BrokerError, match=r"credentials.*redis://user:password@host") as caught:
        broker.declare(QUEUE)

    assert not isinstance(caught.value, BrokerUnavailableError)


def test_the_right_password_lets_in(start, connect):
    server = start(requirepass="ri:ght")
    broker = connect(server.url.replace("//", "//:ri%3Aght@"))

    broker.declare(QUEUE)

    assert broker.stats("q").ready == 0


def test_a_full_server_refuses_messages_and_lets_those_that_it_has_be_settled(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)
    broker.send("q", [message(number) for number in range(4)])
    server.client.config_set("maxmemory", "1mb")

    (refused,) = broker.send("q", [message(5)])
    acked, released, buried, kept = receive(broker)

    assert isinstance(refused, NotSent)
    assert refused.retryable
    assert "memory is full" in refused.why
    assert broker.ack([acked]) == [Settled()]
    assert broker.release([Release(released, body=b"changed")]) == [Settled()]
    assert broker.dead_letter([(buried, Reason("failed", "It failed."))]) == [Settled()]
    assert broker.extend([(kept, 60)]) == [Settled()]
    stats = broker.stats("q")
    assert (stats.ready, stats.leased, stats.dead) == (1, 1, 1)


def test_a_full_server_lets_receive_long_after_the_last_lease(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)
    broker.send("q", [message(1), message(2)])
    broker.ack(receive(broker, limit=1))
    server.client.config_set("maxmemory", "1mb")
    failures = Failures(unavailable=BrokerUnavailableError, broken=BrokerError)
    later = brokers.RedisBroker(Server(locate(server.url), failures), SystemClock(), ahead=lambda: 3600.0)

    assert [one.id for one in receive(later)] == ["m2"]
    later.close()


def test_a_replica_says_that_the_primary_is_wanted(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)
    server.client.replicaof("127.0.0.1", 1)

    (refused,) = broker.send("q", [message()])

    assert isinstance(refused, NotSent)
    assert refused.retryable
    assert "name the primary" in refused.why


def test_a_cluster_is_not_followed_and_says_so(start, connect):
    # By itself it takes the port that lies 10,000 higher, and not every one has such.
    server = start(cluster_enabled="yes", cluster_port=str(free_port()))
    broker = connect(server.url)

    with pytest.raises(BrokerError, match="Redis Cluster"):
        broker.declare(QUEUE)


def test_a_server_that_is_loading_is_told_from_one_that_is_away(start, connect):
    server = start(appendonly="no", rdbcompression="no")
    with server.client.pipeline() as pipeline:
        for number in range(2000):
            pipeline.set(f"key{number}", "x" * 1000)
        pipeline.execute()
    server.client.save()
    server.kill()
    server.start(awaits_data=False, key_load_delay="5000", loading_process_events_interval_bytes="1024")
    broker = connect(server.url)

    with pytest.raises(BrokerUnavailableError, match="reading its data from disk"):
        broker.declare(QUEUE)


def test_a_user_who_may_not_is_told_so(start, connect):
    server = start()
    server.client.execute_command("ACL", "SETUSER", "shop", "on", ">pw", "~other:*", "+@all")
    broker = connect(server.url.replace("//", "//shop:pw@"))

    with pytest.raises(BrokerError, match="may not do this"):
        broker.declare(QUEUE)


def test_the_rights_that_the_documentation_names_are_enough(start, connect):
    server = start()
    (line,) = re.findall(r"^ACL SETUSER (.*)$", DOCUMENTATION.read_text("utf-8"), re.MULTILINE)
    server.client.execute_command("ACL", "SETUSER", *line.split())
    url = server.url.replace("//", "//shop:password@")
    broker = connect(url)
    broker.declare(Queue("q", topics=["news"]))
    broker.publish("news", [message(number) for number in range(3)])
    acked, released, buried = receive(broker)

    assert broker.ack([acked]) == [Settled()]
    assert broker.release([Release(released, delay=1)]) == [Settled()]
    assert broker.dead_letter([(buried, Reason("failed", "It failed."))]) == [Settled()]
    assert receive(broker, wait=0.01) == []
    assert len(broker.peek("q-dead", 1)) == 1
    broker.purge("q")
    assert broker.queues() == ["q", "q-dead"]
    backend = backends.connect(url, clock=SystemClock())
    assert backend.put_if([Change("key", b"1", None, 60)]) == [True]
    assert backend.add_member("set", "a", b"1", ttl=60) == 1
    backend.wait(["key"], 0.01)
    backend.delete("key")
    assert backend.get_many(["key"]) == {}
    backend.close()


def test_large_bodies_are_received_few_at_a_time(start, connect):
    broker = connect(start().url)
    broker.declare(QUEUE)
    for number in range(24):
        broker.send("q", [message(number, b"x" * MEBIBYTE)])

    brought = []
    while found := receive(broker, limit=100):
        brought.append(len(found))
        broker.ack(found)

    assert sum(brought) == 24
    assert max(brought) <= 16
    broker.send("q", [message(number) for number in range(100)])
    assert len(receive(broker, limit=100)) == 100


def test_keys_lie_under_the_prefix_and_the_layouts_version(start, connect):
    server = start()
    broker = connect(f"{server.url}?prefix=shop")
    broker.declare(Queue("q", topics=["news"]))
    broker.declare(Queue("q.fifo"))
    broker.send("q", [message(1), Outgoing("m2", b"{}", delay=60), message(3)])
    receive(broker, limit=1)
    broker.send("q.fifo", [Outgoing(f"f{number}", b"{}", group="g") for number in range(2)])

    kinds = {key.decode(): server.client.type(key).decode() for key in server.client.scan_iter("*")}

    assert kinds == {
        "shop:1:queues": "set",
        "shop:1:topic:news": "set",
        "shop:1:{q}": "hash",
        "shop:1:{q}-dead": "hash",
        "shop:1:{q}:body": "hash",
        "shop:1:{q}:ready": "list",
        "shop:1:{q}:leased": "zset",
        "shop:1:{q}:delayed": "zset",
        "shop:1:{q}:wake": "list",
        "shop:1:{q}.fifo": "hash",
        "shop:1:{q}-dead.fifo": "hash",
        "shop:1:{q}.fifo:body": "hash",
        "shop:1:{q}.fifo:ready": "list",
        "shop:1:{q}.fifo:groups": "hash",
        "shop:1:{q}.fifo:behind:g": "list",
        "shop:1:{q}.fifo:seen": "zset",
        "shop:1:{q}.fifo:wake": "list",
    }


def test_wake_ups_for_nobody_do_not_add_up(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(QUEUE)
    broker.send("q", [message(number) for number in range(3)])
    deliveries = receive(broker)

    broker.release([Release(one) for one in deliveries])

    assert server.client.llen("cloudq:1:{q}:wake") == 1
    assert len(receive(broker)) == 3
    assert server.client.llen("cloudq:1:{q}:wake") == 0


def test_a_purge_leaves_no_key_but_the_queues_own(start, connect):
    server = start()
    broker = connect(server.url)
    broker.declare(Queue("q.fifo"))
    broker.send("q.fifo", [Outgoing(f"f{number}", b"{}", delay=number, group="g") for number in range(3)])

    broker.purge("q.fifo")

    left = {key.decode() for key in server.client.scan_iter("*")}
    assert left == {"cloudq:1:queues", "cloudq:1:{q}.fifo", "cloudq:1:{q}-dead.fifo"}


def test_a_socket_in_the_file_system_serves_as_well(start, connect, tmp_path):
    start(unixsocket=str(tmp_path / "redis.sock"))
    broker = connect(f"redis+unix://{tmp_path}/redis.sock?prefix=shop")
    broker.declare(QUEUE)

    assert broker.send("q", [message()]) == [Sent()]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://localhost/shop", "a database's number"),
        ("redis://localhost?prefix=a b", "letters, digits"),
        ("redis://localhost?colour=red", "colour"),
        ("redis://localhost?socket_timeout=soon", "socket_timeout"),
        ("redis://localhost:port", "Port"),
        ("redis+unix://localhost", "redis.sock"),
    ],
)
def test_a_misspelt_url_is_refused_before_anything_is_connected_to(url, said):
    with pytest.raises(ConfigurationError, match=said):
        locate(url)
