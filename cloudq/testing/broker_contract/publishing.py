"""Topics: copies for the queues that subscribe."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import uuid

import pytest

from cloudq.delivery import Accepted, Outgoing, Sent, Settled
from cloudq.errors import MessageTooLargeError, UnsupportedError
from cloudq.queues import Queue
from cloudq.testing.broker_contract.sending import LARGEST_TRIED
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send, take
from cloudq.testing.steps import PassTime


def publish(broker: TestedBroker, topic: str, *messages: Outgoing) -> None:
    """Publish what must be accepted."""
    expected: list[Accepted] = [Sent() for _ in messages]
    assert broker.publish(topic, messages) == expected


def subscriber(broker: TestedBroker, *topics: str, suffix: str = "") -> Queue:
    """A queue that subscribes."""
    queue = Queue(f"contract-{uuid.uuid4().hex[:12]}{suffix}", topics=topics)
    broker.declare(queue)
    return queue


class Publishing(Suite):
    """`publish`, and what `declare` does about topics."""

    @pytest.fixture
    def topic(self, broker: TestedBroker) -> str:
        """A topic of the test's own."""
        assert broker.limits.topics, "take a contract without topics for a broker that has none"
        return f"contract.{uuid.uuid4().hex[:12]}"

    def test_each_queue_that_subscribes_gets_a_copy_of_what_is_published(
        self, broker: TestedBroker, queue: Queue, topic: str
    ) -> None:
        first, second = subscriber(broker, topic), subscriber(broker, topic)

        publish(broker, topic, outgoing(b"1"))

        one, other = self.take_one(broker, first), self.take_one(broker, second)
        assert (one.body, one.queue, one.receive_count) == (b"1", first.name, 1)
        assert (other.body, other.queue, other.receive_count) == (b"1", second.name, 1)
        assert self.look(broker, queue) == []

    def test_copies_are_settled_each_by_itself(self, broker: TestedBroker, topic: str) -> None:
        first, second = subscriber(broker, topic), subscriber(broker, topic)
        publish(broker, topic, outgoing(b"1"))

        assert broker.ack([self.take_one(broker, first)]) == [Settled()]

        assert self.look(broker, first) == []
        assert self.take_one(broker, second).body == b"1"

    def test_each_message_of_a_large_batch_is_answered_and_copied(
        self, broker: TestedBroker, topic: str
    ) -> None:
        queues = [subscriber(broker, topic), subscriber(broker, topic)]
        messages = [outgoing(str(number).encode()) for number in range(25)]

        publish(broker, topic, *messages)

        for queue in queues:
            taken = take(broker, queue.name, 25, lease=self.lease)
            assert sorted(one.body for one in taken) == sorted(one.body for one in messages)

    def test_publishing_nothing_is_allowed(self, broker: TestedBroker, topic: str) -> None:
        assert broker.publish(topic, []) == []

    def test_what_nobody_subscribes_to_is_dropped(self, broker: TestedBroker, topic: str) -> None:
        publish(broker, topic, outgoing(b"nobody"))

        assert self.look(broker, subscriber(broker, topic)) == []

    def test_a_queue_may_subscribe_to_several_topics_and_be_sent_to_as_ever(
        self, broker: TestedBroker, topic: str
    ) -> None:
        other = f"{topic}-other"
        queue = subscriber(broker, topic, other)

        publish(broker, topic, outgoing(b"1"))
        publish(broker, other, outgoing(b"2"))
        send(broker, queue, outgoing(b"3"))

        taken = take(broker, queue.name, 3, lease=self.lease)
        assert sorted(one.body for one in taken) == [b"1", b"2", b"3"]

    def test_topics_with_similar_names_are_apart(self, broker: TestedBroker, topic: str) -> None:
        dotted, dashed = f"{topic}.a.b", f"{topic}.a-b"
        queue = subscriber(broker, dotted)

        publish(broker, dashed, outgoing(b"dashed"))
        publish(broker, dotted, outgoing(b"dotted"))

        assert self.take_one(broker, queue).body == b"dotted"
        assert self.look(broker, queue) == []

    def test_declaring_a_queue_again_neither_doubles_nor_ends_its_subscriptions(
        self, broker: TestedBroker, topic: str
    ) -> None:
        queue = subscriber(broker, topic)

        broker.declare(queue)
        broker.declare(Queue(queue.name))

        publish(broker, topic, outgoing(b"1"))
        assert self.take_one(broker, queue).body == b"1"
        assert self.look(broker, queue) == []

    def test_a_body_and_attributes_arrive_as_they_were_published(
        self, broker: TestedBroker, topic: str
    ) -> None:
        queue = subscriber(broker, topic)
        body = 'Grüße, 世界, 🚀, <&> "quoted"'.encode()

        publish(broker, topic, outgoing(body, attributes={"tenant": "ACME", "colour": "grün"}))

        delivery = self.take_one(broker, queue)
        assert delivery.body == body
        assert delivery.attributes == {"tenant": "ACME", "colour": "grün"}

    def test_a_delay_holds_back_each_copy_where_the_broker_can(
        self, broker: TestedBroker, topic: str, pass_time: PassTime
    ) -> None:
        queue = subscriber(broker, topic)
        longest = broker.limits.max_topic_delay
        delay = self.lease if longest is None else min(self.lease, longest)

        publish(broker, topic, outgoing(b"late", delay=delay))

        if delay:
            assert self.look(broker, queue) == []
        pass_time(delay)
        assert self.take_one(broker, queue).body == b"late"

    def test_a_published_body_over_the_limit_is_refused_and_none_is_published(
        self, broker: TestedBroker, topic: str
    ) -> None:
        limits = broker.limits
        limit = limits.max_topic_body_bytes or limits.max_body_bytes
        if limit is None:
            return
        assert limit <= LARGEST_TRIED
        queue = subscriber(broker, topic)

        with pytest.raises(MessageTooLargeError):
            broker.publish(topic, [outgoing(), outgoing(b"x" * (limit + 1))])

        assert self.look(broker, queue) == []

    def test_what_is_published_keeps_its_order_in_each_group_of_a_fifo_queue(
        self, broker: TestedBroker, topic: str
    ) -> None:
        if not broker.limits.ordered_groups:
            return
        queue = subscriber(broker, f"{topic}.fifo", suffix=".fifo")

        publish(broker, f"{topic}.fifo", *(outgoing(str(number).encode(), group="a") for number in range(3)))

        for number in range(3):
            delivery = self.take_one(broker, queue)
            assert (delivery.body, delivery.group) == (str(number).encode(), "a")
            broker.ack([delivery])

    def test_a_repeat_is_dropped_by_a_fifo_queue(self, broker: TestedBroker, topic: str) -> None:
        if not broker.limits.ordered_groups:
            return
        queue = subscriber(broker, f"{topic}.fifo", suffix=".fifo")

        for body in (b"1", b"2"):
            publish(broker, f"{topic}.fifo", outgoing(body, group="a", deduplication_id="same"))

        delivery = self.take_one(broker, queue)
        assert delivery.body == b"1"
        broker.ack([delivery])
        assert self.look(broker, queue) == []


class NoPublishing(Suite):
    """What a broker without topics does instead."""

    def test_a_queue_with_topics_is_refused(self, broker: TestedBroker) -> None:
        assert not broker.limits.topics

        with pytest.raises(UnsupportedError):
            subscriber(broker, "contract.topic")

    def test_publishing_is_refused(self, broker: TestedBroker) -> None:
        with pytest.raises(UnsupportedError):
            broker.publish("contract.topic", [outgoing()])
