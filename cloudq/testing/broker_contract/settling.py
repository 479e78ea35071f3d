"""How deliveries end: ack, release, dead-letter."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from cloudq.delivery import Lost, Reason, Release, Settled
from cloudq.queues import Queue
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send, take
from cloudq.testing.steps import PassTime

REASON = Reason(
    code="failed",
    text="It failed 3 times; see the traceback.",
    error="ValueError: no “good” 🙁",
    traceback='Traceback (most recent call last):\n  File "tasks.py", line 1',
    failures=3,
)


class Settling(Suite):
    """`ack`, `release` and `dead_letter`."""

    def test_settling_nothing_is_allowed(self, broker: TestedBroker) -> None:
        assert broker.ack([]) == []
        assert broker.extend([]) == []
        assert broker.release([]) == []
        assert broker.dead_letter([]) == []

    def test_an_acked_message_never_returns(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())

        assert broker.ack([self.take_one(broker, queue)]) == [Settled()]

        pass_time(self.lease)
        assert self.look(broker, queue) == []

    def test_an_acked_message_can_not_be_settled_again(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing())
        delivery = self.take_one(broker, queue)
        broker.ack([delivery])

        again = broker.ack([delivery])

        assert again == [Lost() if broker.limits.detects_lost_ack else Settled()]
        assert self.look(broker, queue) == []

    def test_answers_stand_in_the_order_of_the_deliveries(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, *(outgoing() for _ in range(12)))
        taken = take(broker, queue.name, 12, lease=self.lease)
        broker.ack([taken[4]])

        answers = broker.release([Release(one) for one in taken])

        assert answers == [Lost() if number == 4 else Settled() for number in range(12)]

    def test_a_released_message_can_be_received_at_once(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing(b"1"))
        first = self.take_one(broker, queue)

        assert broker.release([Release(first)]) == [Settled()]

        second = self.take_one(broker, queue)
        assert (second.id, second.body, second.receive_count) == (first.id, b"1", 2)

    def test_a_released_message_returns_after_its_delay(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        first = self.take_one(broker, queue)

        broker.release([Release(first, delay=2 * self.lease)])

        pass_time(self.lease)
        assert self.look(broker, queue) == []
        pass_time(self.lease)
        assert self.take_one(broker, queue).receive_count == 2

    def test_a_release_ends_the_lease(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing())
        delivery = self.take_one(broker, queue)
        broker.release([Release(delivery, delay=self.lease)])

        if broker.limits.detects_lost_ack:
            assert broker.extend([(delivery, self.lease)]) == [Lost()]
            assert broker.release([Release(delivery)]) == [Lost()]
            assert broker.ack([delivery]) == [Lost()]
        assert self.look(broker, queue) == []

    def test_a_release_rewrites_the_body_where_the_broker_can(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        send(broker, queue, outgoing(b"0 failures", attributes={"colour": "red"}))
        first = self.take_one(broker, queue)

        broker.release([Release(first, body=b"1 failure, and longer")])

        second = self.take_one(broker, queue)
        if broker.limits.rewrites_on_release:
            assert (second.id, second.body) == (first.id, b"1 failure, and longer")
            assert second.receive_count == 2
        else:
            assert second.body in {b"0 failures", b"1 failure, and longer"}
        assert second.attributes == {"colour": "red"}

    def test_an_uncounted_release_leaves_the_receive_count_as_it_was_where_the_broker_can(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        send(broker, queue, outgoing())
        first = self.take_one(broker, queue)

        assert broker.release([Release(first, is_counted=False)]) == [Settled()]

        second = self.take_one(broker, queue)
        assert second.receive_count == (1 if broker.limits.rewrites_on_release else 2)
        assert second.receipt != first.receipt
        if broker.limits.detects_lost_ack:
            assert broker.ack([first]) == [Lost()]
        assert broker.ack([second]) == [Settled()]

    def test_a_dead_lettered_message_leaves_its_queue_and_bears_its_reason(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing("Grüße".encode(), attributes={"colour": "red"}))
        self.take_one(broker, queue)
        pass_time(self.lease)

        assert broker.dead_letter([(self.take_one(broker, queue), REASON)]) == [Settled()]

        (dead,) = take(broker, queue.dead_letter, 1, lease=self.lease)
        assert dead.body == "Grüße".encode()
        assert dead.attributes["colour"] == "red"
        assert dead.receive_count == 1
        assert dead.reason is not None
        assert (dead.reason.code, dead.reason.text) == (REASON.code, REASON.text)
        assert (dead.reason.error, dead.reason.traceback) == (REASON.error, REASON.traceback)
        assert (dead.reason.failures, dead.reason.queue) == (3, queue.name)
        assert dead.reason.receive_count == 2
        assert dead.reason.died_at is not None
        pass_time(self.lease)
        assert self.look(broker, queue) == []

    def test_a_body_that_is_no_message_can_be_dead_lettered(self, broker: TestedBroker, queue: Queue) -> None:
        body = b"\xff\x00" if broker.limits.any_bytes else b"{broken"
        send(broker, queue, outgoing(body))

        broker.dead_letter([(self.take_one(broker, queue), REASON)])

        (dead,) = take(broker, queue.dead_letter, 1, lease=self.lease)
        assert dead.body == body

    def test_a_dead_letter_queue_is_a_queue_like_any_other(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        broker.dead_letter([(self.take_one(broker, queue), REASON)])
        take(broker, queue.dead_letter, 1, lease=self.lease)
        pass_time(self.lease)
        (dead,) = take(broker, queue.dead_letter, 1, lease=self.lease)

        assert dead.receive_count == 2
        assert dead.reason is not None
        assert broker.ack([dead]) == [Settled()]
        assert broker.stats(queue.dead_letter).ready == 0

    def test_what_was_dead_lettered_can_not_be_settled_again(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        send(broker, queue, outgoing())
        delivery = self.take_one(broker, queue)
        broker.dead_letter([(delivery, REASON)])

        assert broker.release([Release(delivery)]) == [Lost()]
        assert self.look(broker, queue) == []
