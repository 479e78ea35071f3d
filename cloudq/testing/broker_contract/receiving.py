"""Order of preference, limits, waits, and how `close` ends them."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import uuid
from threading import Event

import pytest

from cloudq.errors import QueueNotFoundError
from cloudq.queues import Queue
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send
from cloudq.testing.steps import PATIENCE, PassTime, in_thread, until

WAIT = 10.0


class Receiving(Suite):
    """`receive` and `close`."""

    @pytest.fixture
    def other(self, broker: TestedBroker) -> Queue:
        """A second queue."""
        queue = Queue(f"contract-{uuid.uuid4().hex[:12]}")
        broker.declare(queue)
        return queue

    def test_an_empty_queue_brings_nothing(self, broker: TestedBroker, queue: Queue) -> None:
        assert self.look(broker, queue) == []

    def test_receiving_from_an_unknown_queue_is_refused(self, broker: TestedBroker, queue: Queue) -> None:
        name = f"contract-{uuid.uuid4().hex[:12]}"

        with pytest.raises(QueueNotFoundError, match=name):
            broker.receive([queue.name, name], limit=1, lease=self.lease, wait=0)

    def test_a_receive_brings_no_more_than_asked_for(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, *(outgoing() for _ in range(5)))

        assert 1 <= len(self.look(broker, queue, limit=3)) <= 3

    def test_a_receive_asked_for_more_than_the_broker_can_brings_what_it_can(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        send(broker, queue, *(outgoing() for _ in range(5)))

        found = self.look(broker, queue, limit=broker.limits.max_receive + 5)

        assert 1 <= len(found) <= broker.limits.max_receive

    @pytest.mark.parametrize("is_turned", [False, True])
    def test_the_first_queue_is_emptied_first(
        self, broker: TestedBroker, queue: Queue, other: Queue, *, is_turned: bool
    ) -> None:
        names = [other.name, queue.name] if is_turned else [queue.name, other.name]
        send(broker, queue, outgoing(), outgoing())
        send(broker, other, outgoing(), outgoing())
        received: list[str] = []

        def has_all() -> bool:
            received.extend(one.queue for one in broker.receive(names, limit=3, lease=self.lease, wait=0))
            return len(received) >= 4

        until(has_all, "four messages")
        assert received == [names[0], names[0], names[1], names[1]]

    def test_an_empty_first_queue_hides_nothing_of_the_second(
        self, broker: TestedBroker, queue: Queue, other: Queue
    ) -> None:
        send(broker, other, outgoing())

        (delivery,) = broker.receive([queue.name, other.name], limit=10, lease=self.lease, wait=WAIT)

        assert delivery.queue == other.name

    def test_a_wait_ends_when_a_message_arrives(
        self, broker: TestedBroker, queue: Queue, other: Queue
    ) -> None:
        names = [queue.name, other.name]
        waiting = in_thread(lambda: broker.receive(names, limit=1, lease=self.lease, wait=WAIT))

        send(broker, other, outgoing(b"here"))

        assert [one.body for one in waiting.result(PATIENCE)] == [b"here"]

    def test_a_wait_ends_when_a_lease_ends(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        self.take_one(broker, queue)
        wait = min(self.lease + 5, broker.limits.max_wait or self.lease + 5)
        waiting = in_thread(lambda: broker.receive([queue.name], limit=1, lease=self.lease, wait=wait))

        pass_time(self.lease)

        found = waiting.result(PATIENCE) or self.look(broker, queue)
        assert [one.receive_count for one in found] == [2]

    def test_a_wait_ends_when_a_delay_ends(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing(delay=2))
        waiting = in_thread(lambda: broker.receive([queue.name], limit=1, lease=self.lease, wait=WAIT))

        pass_time(2)

        assert len(waiting.result(PATIENCE)) == 1

    def test_a_wait_for_nothing_ends_after_its_time(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        waiting = in_thread(lambda: broker.receive([queue.name], limit=1, lease=self.lease, wait=1))

        def has_ended() -> bool:
            pass_time(1)
            return waiting.done()

        until(has_ended, "end of the wait")
        assert waiting.result() == []

    def test_closing_wakes_a_receive_that_waits(self, broker: TestedBroker, queue: Queue) -> None:
        begun = Event()

        def wait() -> object:
            begun.set()
            return broker.receive([queue.name], limit=1, lease=self.lease, wait=WAIT)

        waiting = in_thread(wait)
        begun.wait(PATIENCE)
        broker.close()

        assert waiting.result(WAIT / 2) == []

    def test_after_closing_nothing_is_received(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing())
        broker.close()
        broker.close()

        assert broker.receive([queue.name], limit=1, lease=self.lease, wait=WAIT) == []
