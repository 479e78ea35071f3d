"""FIFO queues: order within a group, and repeats that are dropped."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import uuid

import pytest

from cloudq.delivery import Delivery, Reason, Release
from cloudq.errors import UnsupportedError
from cloudq.queues import Queue
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send, take
from cloudq.testing.steps import PATIENCE, PassTime, in_thread, until

REMEMBERED = 300.0
"""Seconds for which a repeat is dropped. Source: SQS Developer Guide, exactly-once, read 2026-11."""


def _fifo_queue() -> Queue:
    return Queue(f"contract-{uuid.uuid4().hex[:12]}.fifo")


class Ordering(Suite):
    """FIFO queues."""

    @pytest.fixture
    def fifo(self, broker: TestedBroker) -> Queue:
        """A FIFO queue of the test's own."""
        assert broker.limits.ordered_groups, "take UnorderedBrokerContract for a broker without FIFO queues"
        queue = _fifo_queue()
        broker.declare(queue)
        return queue

    def drain(self, broker: TestedBroker, queue: str, count: int) -> list[Delivery]:
        """Receive and ack so many messages."""
        drained: list[Delivery] = []

        def has_drained() -> bool:
            found = broker.receive([queue], limit=10, lease=self.lease, wait=0)
            broker.ack(found)
            drained.extend(found)
            return len(drained) >= count

        until(has_drained, f"{count} messages from {queue!r}")
        return drained

    def test_each_group_keeps_its_order(self, broker: TestedBroker, fifo: Queue) -> None:
        for number in range(12):
            send(broker, fifo, outgoing(str(number).encode(), group="ab"[number % 2]))

        drained = self.drain(broker, fifo.name, 12)

        for group, numbers in (("a", range(0, 12, 2)), ("b", range(1, 12, 2))):
            assert [int(one.body) for one in drained if one.group == group] == list(numbers)

    def test_a_batch_keeps_its_order(self, broker: TestedBroker, fifo: Queue) -> None:
        send(broker, fifo, *(outgoing(str(number).encode(), group="a") for number in range(12)))

        drained = self.drain(broker, fifo.name, 12)

        assert [int(one.body) for one in drained] == list(range(12))

    def test_a_leased_message_holds_back_its_group_alone(self, broker: TestedBroker, fifo: Queue) -> None:
        for group in "aab":
            send(broker, fifo, outgoing(group=group))
        (first,) = take(broker, fifo.name, 1, lease=self.lease)

        (second,) = take(broker, fifo.name, 1, lease=self.lease)

        assert (first.group, second.group) == ("a", "b")
        assert self.look(broker, fifo) == []

    def test_an_ack_lets_the_next_of_the_group_go(self, broker: TestedBroker, fifo: Queue) -> None:
        send(broker, fifo, outgoing(b"1", group="a"))
        send(broker, fifo, outgoing(b"2", group="a"))
        first = self.take_one(broker, fifo)
        waiting = in_thread(lambda: broker.receive([fifo.name], limit=1, lease=self.lease, wait=10))

        broker.ack([first])

        assert [one.body for one in waiting.result(PATIENCE)] == [b"2"]

    def test_a_peek_shows_the_messages_of_a_group_in_order(self, broker: TestedBroker, fifo: Queue) -> None:
        for number in range(5):
            send(broker, fifo, outgoing(str(number).encode(), group="a"))

        seen = broker.peek(fifo.name, 10)

        assert [one.body for one in seen] == [b"0", b"1", b"2", b"3", b"4"]
        assert [one.body for one in self.drain(broker, fifo.name, 5)] == [one.body for one in seen]

    def test_a_message_whose_lease_ended_comes_before_its_group_again(
        self, broker: TestedBroker, fifo: Queue, pass_time: PassTime
    ) -> None:
        send(broker, fifo, outgoing(b"1", group="a"))
        send(broker, fifo, outgoing(b"2", group="a"))
        self.take_one(broker, fifo)
        pass_time(self.lease)

        assert [one.body for one in self.drain(broker, fifo.name, 2)] == [b"1", b"2"]

    def test_a_released_message_comes_before_its_group_again(
        self, broker: TestedBroker, fifo: Queue, pass_time: PassTime
    ) -> None:
        send(broker, fifo, outgoing(b"1", group="a"))
        send(broker, fifo, outgoing(b"2", group="a"))

        broker.release([Release(self.take_one(broker, fifo), delay=self.lease)])

        assert self.look(broker, fifo) == []
        pass_time(self.lease)
        assert [one.body for one in self.drain(broker, fifo.name, 2)] == [b"1", b"2"]

    def test_a_dead_lettered_message_lets_its_group_go_on(self, broker: TestedBroker, fifo: Queue) -> None:
        for number in range(3):
            send(broker, fifo, outgoing(str(number).encode(), group="a"))
        reason = Reason("failed", "It failed.")

        for _ in range(2):
            broker.dead_letter([(self.take_one(broker, fifo), reason)])

        assert self.take_one(broker, fifo).body == b"2"
        assert [one.body for one in self.drain(broker, fifo.dead_letter, 2)] == [b"0", b"1"]

    def test_a_repeat_is_dropped_for_five_minutes(
        self, broker: TestedBroker, fifo: Queue, pass_time: PassTime
    ) -> None:
        send(broker, fifo, outgoing(b"1", group="a", deduplication_id="once"))
        send(broker, fifo, outgoing(b"2", group="b", deduplication_id="once"))

        assert [one.body for one in self.drain(broker, fifo.name, 1)] == [b"1"]
        assert self.look(broker, fifo) == []
        if self.lease < 10:
            return  # time is real here, and five minutes are too long
        pass_time(REMEMBERED)
        send(broker, fifo, outgoing(b"3", group="a", deduplication_id="once"))
        assert [one.body for one in self.drain(broker, fifo.name, 1)] == [b"3"]

    def test_a_message_without_a_deduplication_id_is_known_by_its_own(
        self, broker: TestedBroker, fifo: Queue
    ) -> None:
        message = outgoing(b"1", group="a")
        send(broker, fifo, message)
        send(broker, fifo, message)

        assert [one.body for one in self.drain(broker, fifo.name, 1)] == [b"1"]
        assert self.look(broker, fifo) == []


class NoOrdering(Suite):
    """A broker that has no FIFO queues says so."""

    def test_a_fifo_queue_is_refused(self, broker: TestedBroker) -> None:
        assert not broker.limits.ordered_groups

        with pytest.raises(UnsupportedError):
            broker.declare(_fifo_queue())
