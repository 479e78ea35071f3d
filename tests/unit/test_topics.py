"""Publishing calls: where they go, and what each queue's copy is."""

from __future__ import annotations

import logging

import pytest

import cloudq
from cloudq.codec import decode, encode
from cloudq.delivery import Outgoing
from cloudq.errors import ArgumentError, ConfigurationError, ResultError
from cloudq.message import Message, copy_id
from cloudq.testing import InlineWorker, in_memory

TOPIC = "orders.created"


@pytest.fixture
def app():
    app = cloudq.App(
        "shop",
        environ={},
        queues=[cloudq.Queue("stock", topics=(TOPIC,)), cloudq.Queue("mail", topics=(TOPIC,))],
    )
    with in_memory(app):
        yield app


def test_a_published_call_is_run_once_for_each_queue_that_subscribes(app):
    runs = []

    @app.task(bind=True)
    def note(self, number: int) -> str:
        runs.append((self.request.queue, number))
        return self.request.queue

    published = note.apply_async((7,), topic=TOPIC)
    count = InlineWorker(app).drain("stock", "mail", "default")

    assert count == 2
    assert sorted(runs) == [("mail", 7), ("stock", 7)]
    assert note.result(published.id, queue="stock").get(timeout=0) == "stock"
    assert note.result(published.id, queue="mail").get(timeout=0) == "mail"


def test_one_copy_is_retried_without_the_others(app):
    runs = []

    @app.task(bind=True, retries=1, backoff=1)
    def note(self) -> str:
        runs.append(self.request.queue)
        if runs.count("mail") == 1 and self.request.queue == "mail":
            raise ValueError("once")
        return f"{self.request.queue} {self.request.retries} {self.request.id}"

    published = note.apply_async(topic=TOPIC)
    InlineWorker(app).drain("stock", "mail", within=10)

    assert sorted(runs) == ["mail", "mail", "stock"]
    assert note.result(published.id, queue="mail").get(timeout=0) == f"mail 1 {copy_id(published.id, 'mail')}"


def test_a_copy_tells_what_it_is_a_copy_of():
    message = Message(id="m", task="do", topic=TOPIC)

    copy = decode(encode(message)).received_from("mail")

    assert (copy.id, copy.root, copy.topic) == (copy_id("m", "mail"), "m", None)
    assert decode(encode(copy)).received_from("mail") == copy


def test_a_message_that_was_sent_is_nobodys_copy():
    message = Message(id="m", task="do")

    assert message.received_from("mail") is message


def test_what_was_published_has_no_result_but_its_copies(app):
    @app.task
    def note() -> None: ...

    published = note.apply_async(topic=TOPIC)

    with pytest.raises(ResultError, match=r"published to 'orders\.created'.* queue="):
        published.get(timeout=0)
    with pytest.raises(ResultError):
        _ = published.state


def test_a_call_goes_to_a_queue_or_to_a_topic(app):
    @app.task
    def note() -> None: ...

    with pytest.raises(ArgumentError, match="give one"):
        note.apply_async(topic=TOPIC, queue="mail")
    with pytest.raises(ConfigurationError, match="Topic name"):
        note.apply_async(topic="no topic")


def test_the_apps_own_queues_subscribe_before_the_first_message(app):
    @app.task
    def note() -> None: ...

    note.apply_async(topic=TOPIC)

    assert [app.broker.stats(name).ready for name in ("stock", "mail")] == [1, 1]


def test_a_delayed_call_is_delayed_in_each_queue(app):
    @app.task
    def note() -> None: ...

    note.apply_async(topic=TOPIC, countdown=60)

    assert [app.broker.stats(name).delayed for name in ("stock", "mail")] == [1, 1]


def test_a_body_that_nobody_can_read_is_dead_lettered_where_it_is(app, caplog):
    caplog.set_level(logging.CRITICAL)
    app.declare("stock")
    app.broker.publish(TOPIC, [Outgoing("m", b"no JSON")])

    InlineWorker(app).drain("stock")

    assert app.broker.stats("stock").dead == 1
