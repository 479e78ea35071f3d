"""Looking into queues: counts, names, looks, purge."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import uuid

import pytest

from cloudq.brokers.base import QueueStats
from cloudq.delivery import Lost, Reason, Release, Settled
from cloudq.errors import QueueNotFoundError
from cloudq.queues import Queue
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send, take
from cloudq.testing.steps import PassTime


class Inspecting(Suite):
    """`stats` and `Inspector`."""

    def test_an_empty_queue_counts_nothing(self, broker: TestedBroker, queue: Queue) -> None:
        assert broker.stats(queue.name) == QueueStats(ready=0, leased=0, delayed=0, dead=0)

    def test_stats_count_what_is_ready_leased_delayed_and_dead(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        send(broker, queue, *(outgoing() for _ in range(6)))
        send(broker, queue, outgoing(delay=self.lease), outgoing(delay=self.lease))
        first, *_ = take(broker, queue.name, 4, lease=self.lease)
        broker.dead_letter([(first, Reason("failed", "It failed."))])

        stats = broker.stats(queue.name)

        assert (stats.ready, stats.leased, stats.delayed, stats.dead) == (2, 3, 2, 1)

    def test_a_message_whose_lease_has_ended_counts_as_ready(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        self.take_one(broker, queue)
        pass_time(self.lease)

        stats = broker.stats(queue.name)

        assert (stats.ready, stats.leased) == (1, 0)

    def test_the_age_of_the_oldest_message_grows(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing())
        pass_time(2)

        age = broker.stats(queue.name).oldest_age

        assert age is None or 2 <= age < 60

    def test_counting_an_unknown_queue_is_refused(self, broker: TestedBroker) -> None:
        name = f"contract-{uuid.uuid4().hex[:12]}"

        with pytest.raises(QueueNotFoundError, match=name):
            broker.stats(name)

    def test_the_queues_are_named_with_their_dead_letter_queues(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        assert {queue.name, queue.dead_letter} <= set(broker.queues())

    def test_a_peek_shows_what_is_ready_and_leaves_it_there(self, broker: TestedBroker, queue: Queue) -> None:
        sent = [outgoing(f"{number}".encode(), attributes={"colour": "red"}) for number in range(3)]
        send(broker, queue, *sent, outgoing(delay=self.lease))

        seen = broker.peek(queue.name, 10)

        assert {one.body for one in seen} == {one.body for one in sent}
        assert {(one.queue, one.receipt, one.receive_count) for one in seen} == {(queue.name, "", 0)}
        assert all(one.attributes == {"colour": "red"} for one in seen)
        taken = take(broker, queue.name, 3, lease=self.lease)
        assert {one.id for one in taken} == {one.id for one in seen}
        counts = {one.receive_count for one in taken}
        assert counts == {1} if broker.limits.peeks_unseen else counts <= {1, 2}

    def test_a_peek_shows_no_more_than_it_is_asked_for(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, *(outgoing() for _ in range(12)))

        assert len(broker.peek(queue.name, 11)) == 11
        assert broker.peek(queue.name, 0) == []

    def test_a_peek_does_not_show_what_is_leased(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing())
        held = self.take_one(broker, queue)

        assert broker.peek(queue.name, 10) == []
        assert broker.ack([held]) == [Settled()]

    def test_a_peek_tells_the_receives_of_the_past(self, broker: TestedBroker, queue: Queue) -> None:
        send(broker, queue, outgoing())
        broker.release([Release(self.take_one(broker, queue))])

        (seen,) = broker.peek(queue.name, 1)

        assert seen.receive_count == 1

    def test_a_peek_into_a_dead_letter_queue_tells_the_reasons(
        self, broker: TestedBroker, queue: Queue
    ) -> None:
        send(broker, queue, outgoing(b"{broken"))
        broker.dead_letter([(self.take_one(broker, queue), Reason("failed", "It failed.", failures=3))])

        (seen,) = broker.peek(queue.dead_letter, 10)

        assert seen.body == b"{broken"
        assert seen.reason is not None
        assert (seen.reason.code, seen.reason.failures) == ("failed", 3)

    def test_peeking_into_an_unknown_queue_is_refused(self, broker: TestedBroker) -> None:
        with pytest.raises(QueueNotFoundError):
            broker.peek(f"contract-{uuid.uuid4().hex[:12]}", 1)

    def test_a_purge_deletes_what_is_ready_delayed_or_leased(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        send(broker, queue, outgoing(), outgoing(), outgoing(delay=self.lease))
        held = self.take_one(broker, queue)

        broker.purge(queue.name)

        if broker.limits.detects_lost_ack:
            assert broker.ack([held]) == [Lost()]
        pass_time(self.lease)
        assert self.look(broker, queue) == []

    def test_purging_an_unknown_queue_is_refused(self, broker: TestedBroker) -> None:
        with pytest.raises(QueueNotFoundError):
            broker.purge(f"contract-{uuid.uuid4().hex[:12]}")
