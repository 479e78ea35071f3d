"""Leases: what they hide, when they end, who loses them."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from cloudq.delivery import Lost, Reason, Release, Settled
from cloudq.queues import Queue
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send
from cloudq.testing.steps import PassTime


class Leasing(Suite):
    """Leases and `extend`."""

    def test_a_lease_hides_a_message_and_its_end_returns_it(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing(b"1"))
        first = self.take_one(broker, queue)

        assert self.look(broker, queue) == []
        pass_time(self.lease)
        second = self.take_one(broker, queue)

        assert second.body == b"1"
        assert second.id == first.id
        assert second.receipt != first.receipt

    def test_the_receive_count_rises_with_each_delivery(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        counts: list[int] = []

        for _ in range(3):
            counts.append(self.take_one(broker, queue).receive_count)
            pass_time(self.lease)

        assert counts == [1, 2, 3]

    def test_an_extended_lease_ends_later(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        delivery = self.take_one(broker, queue)
        pass_time(self.lease / 2)

        assert broker.extend([(delivery, self.lease)]) == [Settled()]

        pass_time(self.lease / 2)
        assert self.look(broker, queue) == []
        assert broker.ack([delivery]) == [Settled()]

    def test_an_extension_counts_from_now(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        delivery = self.take_one(broker, queue)

        broker.extend([(delivery, self.lease / 2)])

        pass_time(self.lease / 2)
        assert self.take_one(broker, queue).receive_count == 2

    def test_settling_after_the_lease_has_ended_is_answered_as_lost(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        delivery = self.take_one(broker, queue)
        pass_time(self.lease)

        if broker.limits.detects_lost_ack:
            assert broker.extend([(delivery, self.lease)]) == [Lost()]
            assert broker.release([Release(delivery)]) == [Lost()]
            assert broker.dead_letter([(delivery, Reason("failed", "It failed."))]) == [Lost()]
            assert broker.ack([delivery]) == [Lost()]
            assert self.take_one(broker, queue).receive_count == 2

    def test_an_older_holder_leaves_a_newer_lease_alone(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        older = self.take_one(broker, queue)
        pass_time(self.lease)
        newer = self.take_one(broker, queue)

        if broker.limits.detects_lost_ack:
            assert broker.extend([(older, 0.0)]) == [Lost()]
            assert broker.release([Release(older)]) == [Lost()]
            assert broker.dead_letter([(older, Reason("failed", "It failed."))]) == [Lost()]
            assert broker.ack([older]) == [Lost()]
            assert self.look(broker, queue) == []
            assert broker.extend([(newer, self.lease)]) == [Settled()]
        else:
            broker.ack([older])
        assert broker.ack([newer]) == [Settled()]
