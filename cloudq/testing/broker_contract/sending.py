"""What may be sent, and that it arrives as it was."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import uuid

import pytest

from cloudq.delivery import NotSent, Outgoing
from cloudq.errors import MessageTooLargeError, QueueNotFoundError
from cloudq.queues import Queue
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send, take
from cloudq.testing.steps import PassTime

MEBIBYTE = 1024 * 1024
LARGEST_TRIED = 64 * MEBIBYTE

BODIES = [
    pytest.param(b'{"v":1}', id="json"),
    pytest.param("Grüße, 世界, 🚀, \u2028".encode(), id="unicode"),
    pytest.param(b"no JSON at all <&>\"'\\ \t\r\n", id="no JSON"),
    pytest.param(b" ", id="blank"),
]
BYTES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"\x00", id="zero"),
    pytest.param(b"\xff\xfe\xc3\x28", id="no UTF-8"),
    pytest.param("\ufffe\uffff".encode(), id="no characters"),
]


class Sending(Suite):
    """`declare` and `send`."""

    def test_declaring_a_queue_again_changes_nothing(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing(b"1"))

        broker.declare(queue)

        assert self.take_one(broker, queue).body == b"1"

    def test_sending_nothing_is_allowed(self, broker: TestedBroker, queue: Queue) -> None:
        assert broker.send(queue.name, []) == []

    def test_each_message_of_a_large_batch_is_answered_and_arrives(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        messages = [outgoing(str(number).encode()) for number in range(25)]

        send(broker, queue, *messages)

        taken = take(broker, queue.name, 25, lease=self.lease)
        assert sorted(one.body for one in taken) == sorted(one.body for one in messages)

    def test_sending_to_an_unknown_queue_is_refused(self, broker: TestedBroker) -> None:
        name = f"contract-{uuid.uuid4().hex[:12]}"

        with pytest.raises(QueueNotFoundError, match=name) as refused:
            broker.send(name, [outgoing()])

        assert refused.value.queue == name

    @pytest.mark.parametrize("body", BODIES)
    def test_a_body_arrives_as_it_was_sent(self, broker: TestedBroker, queue: Queue, body: bytes) -> None:
        send(broker, queue, outgoing(body))

        assert self.take_one(broker, queue).body == body

    @pytest.mark.parametrize("body", BYTES)
    def test_any_bytes_arrive_or_are_refused_for_good(
        self, broker: TestedBroker, queue: Queue, body: bytes
    ) -> None:
        (answer,) = broker.send(queue.name, [outgoing(body)])

        if broker.limits.any_bytes:
            assert self.take_one(broker, queue).body == body
        else:
            assert isinstance(answer, NotSent)
            assert not answer.retryable
            assert self.look(broker, queue) == []

    def test_a_body_of_a_mebibyte_arrives(self, broker: TestedBroker, queue: Queue) -> None:
        size = min(MEBIBYTE, broker.limits.max_body_bytes or MEBIBYTE)
        body = b"x" * size

        send(broker, queue, outgoing(body))

        assert self.take_one(broker, queue).body == body

    def test_a_body_over_the_limit_is_refused_and_none_is_sent(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        limit = broker.limits.max_body_bytes
        if limit is None:
            send(broker, queue, outgoing(b"x" * (2 * MEBIBYTE)))
            return
        assert limit <= LARGEST_TRIED
        large = Outgoing("large", b"x" * (limit + 1))

        with pytest.raises(MessageTooLargeError) as refused:
            broker.send(queue.name, [outgoing(), large])

        assert refused.value.queue == queue.name
        assert refused.value.size_bytes > refused.value.limit_bytes
        assert self.look(broker, queue) == []

    def test_attributes_and_group_travel_beside_the_body(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing(attributes={"tenant": "ACME", "colour": "grün"}, group="acme"))

        delivery = self.take_one(broker, queue)

        assert delivery.attributes == {"tenant": "ACME", "colour": "grün"}
        assert delivery.group == "acme"

    def test_a_delivery_says_where_it_comes_from(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing())

        delivery = self.take_one(broker, queue)

        assert delivery.queue == queue.name
        assert delivery.id
        assert delivery.receive_count == 1
        assert delivery.reason is None

    def test_a_delayed_message_arrives_after_its_delay(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing(b"late", delay=self.lease), outgoing(b"now"))

        first = self.take_one(broker, queue)
        broker.ack([first])
        assert first.body == b"now"
        assert self.look(broker, queue) == []
        pass_time(self.lease)
        assert self.take_one(broker, queue).body == b"late"
