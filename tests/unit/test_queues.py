from __future__ import annotations

import re
from datetime import timedelta

import pytest

from cloudq.errors import ConfigurationError
from cloudq.queues import Queue, dead_letter_name, is_dead_letter, route

SQS_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")


@pytest.mark.parametrize("name", ["emails", "a", "A-b_9", "x" * 70, "orders.fifo", "x" * 70 + ".fifo"])
def test_a_name_that_every_broker_takes_is_taken_and_so_is_its_dead_letter_queues(name):
    assert SQS_NAME.fullmatch(Queue(name).name)
    assert SQS_NAME.fullmatch(Queue(name).dead_letter)


@pytest.mark.parametrize("name", ["", "x" * 71, "a.b", "a b", "ünï", ".fifo", "a.fifo.fifo", "a\n"])
def test_any_other_name_is_refused_with_what_is_allowed(name):
    with pytest.raises(ConfigurationError, match="letters, digits"):
        Queue(name)


def test_a_fifo_queue_and_its_dead_letter_queue_are_known_by_their_names():
    assert Queue("orders.fifo").is_fifo
    assert Queue("orders.fifo").dead_letter == "orders-dead.fifo"
    assert not Queue("orders").is_fifo
    assert Queue("orders").dead_letter == "orders-dead"


@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
def test_a_dead_letter_queue_is_told_from_its_name(name):
    assert not is_dead_letter(name)
    assert is_dead_letter(dead_letter_name(name))


def test_a_lease_is_given_in_seconds_or_as_timedelta():
    assert Queue("q").lease_seconds == 60.0
    assert Queue("q", lease=90).lease_seconds == 90.0
    assert Queue("q", lease=timedelta(minutes=2)).lease_seconds == 120.0


@pytest.mark.parametrize("lease", [0, 0.5, 43_201, timedelta(hours=13), -1, float("nan")])
def test_a_lease_that_sqs_does_not_know_is_refused(lease):
    with pytest.raises(ConfigurationError, match=r"a lease is 1 to 43,200 seconds"):
        Queue("q", lease=lease)


def test_at_least_one_receive_is_allowed():
    with pytest.raises(ConfigurationError, match="max_receives"):
        Queue("q", max_receives=0)


@pytest.mark.parametrize("topic", ["orders.created", "a", "orders-2.eu-west.created", "x" * 100])
def test_a_queue_subscribes_to_topics(topic):
    assert Queue("q", topics=(topic,)).topics == (topic,)


@pytest.mark.parametrize("topic", ["", "a..b", ".a", "a.", "a--b", "a.-b", "a b", "ünï", "x" * 101, "a\n", 7])
def test_a_topic_that_not_every_broker_can_name_is_refused(topic):
    with pytest.raises(ConfigurationError, match="Topic name"):
        Queue("q", topics=(topic,))


def test_one_text_is_no_list_of_topics():
    with pytest.raises(ConfigurationError, match="tuple of names"):
        Queue("q", topics="orders")


def test_a_fifo_queue_subscribes_to_fifo_topics_alone():
    assert Queue("q.fifo", topics=("orders.fifo",)).topics
    assert Queue("q", topics=("orders.fifo",)).topics
    with pytest.raises(ConfigurationError, match=r"ends in '\.fifo'"):
        Queue("q.fifo", topics=("orders",))


def test_the_first_route_that_fits_counts():
    routes = [
        ("shop.tasks.pay", {"queue": "money"}),
        ("feed.*", {"queue": "feeds"}),
        (re.compile(r"(video|image)\..*"), {"queue": "media"}),
        ("*", {"queue": "rest"}),
    ]

    assert route("shop.tasks.pay", routes) == {"queue": "money"}
    assert route("feed.update", routes) == {"queue": "feeds"}
    assert route("image.shrink", routes) == {"queue": "media"}
    assert route("my.image.shrink", routes) == {"queue": "rest"}


def test_a_task_without_a_route_has_none():
    assert route("shop.tasks.pay", []) == {}
    assert route("shop.tasks.pay", [("shop", {"queue": "a"}), ("SHOP.*", {"queue": "b"})]) == {}


def test_a_function_may_route():
    def by_prefix(task):
        return {"queue": "media"} if task.startswith("image.") else None

    assert route("image.shrink", by_prefix) == {"queue": "media"}
    assert route("mail.send", by_prefix) == {}
