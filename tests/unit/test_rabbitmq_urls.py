from __future__ import annotations

import pytest

from cloudq.brokers.rabbitmq import connect
from cloudq.brokers.rabbitmq.urls import parse
from cloudq.clock import FakeClock
from cloudq.errors import ConfigurationError, UnsupportedError
from cloudq.queues import Queue


def test_a_url_says_where_and_as_whom():
    address = parse("amqps://shop:s%2Fcret@rabbit.example:5000/staging%2Fone?queue_type=classic&timeout=2.5")

    assert (address.host, address.port, address.has_tls) == ("rabbit.example", 5000, True)
    assert (address.user, address.password, address.vhost) == ("shop", "s/cret", "staging/one")
    assert (address.queue_type, address.timeout, address.ack_timeout) == ("classic", 2.5, 1800.0)


@pytest.mark.parametrize(
    ("url", "port"), [("amqp://", 5672), ("amqp://localhost/", 5672), ("amqps://localhost", 5671)]
)
def test_what_a_url_leaves_out_is_rabbitmqs_own_default(url, port):
    address = parse(url)

    assert (address.host, address.port, address.user, address.vhost) == ("localhost", port, "guest", "/")
    assert address.queue_type == "quorum"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://h?queue_type=stream", "queue_type is quorum or classic"),
        ("amqp://h?heartbeet=3", "'heartbeet' is no option"),
        ("amqp://h?timeout=soon", "timeout is a number of seconds"),
        ("amqp://h?ack_timeout=0", "ack_timeout is a number of seconds"),
        ("amqp://h:99999", "port"),
        ("http://h", "scheme"),
    ],
)
def test_a_url_that_is_misspelt_is_refused_and_its_password_not_shown(url, why):
    with pytest.raises(ConfigurationError, match=why) as refused:
        parse(url.replace("//", "//me:geheim@"))

    assert "geheim" not in str(refused.value)


def test_a_password_is_in_no_text():
    assert "geheim" not in repr(parse("amqp://me:geheim@h"))


def test_a_fifo_queue_is_refused_before_anything_is_connected():
    broker = connect("amqp://127.0.0.1:1", clock=FakeClock())

    with pytest.raises(UnsupportedError, match="keeps no order"):
        broker.declare(Queue("line.fifo"))


def test_a_lease_longer_than_the_servers_timeout_is_refused():
    broker = connect("amqp://127.0.0.1:1?ack_timeout=60", clock=FakeClock())

    with pytest.raises(UnsupportedError, match="ack_timeout"):
        broker.declare(Queue("slow", lease=61))
