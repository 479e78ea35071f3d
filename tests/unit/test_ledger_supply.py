"""How many messages are asked for, and how long what has ended waits for company."""

from __future__ import annotations

import pytest

from cloudq.delivery import Settled
from cloudq.worker.ledger import Ledger
from cloudq.worker.ledger.endings import LINGER
from tests.ledgers import LEASE, delivery, ledger_with, run, tags


def test_no_more_is_asked_for_than_can_start_until_a_run_was_timed():
    ledger = ledger_with(0, slots=1, children=4)

    assert ledger.room() == 4


def test_slow_tasks_leave_nothing_waiting_in_the_worker():
    ledger = ledger_with(1, slots=1, children=4)
    ledger.assign(0.0)
    run(ledger, 1, seconds=5.0)

    assert ledger.room() == 4


def test_quick_tasks_are_held_ahead():
    ledger = ledger_with(1, slots=1, children=4)
    ledger.assign(0.0)
    run(ledger, 1, seconds=0.0001)

    assert ledger.room() > 100


@pytest.mark.parametrize(("slots", "ahead"), [(1, 0), (2, 0), (5, 5), (50, 50)])
def test_the_more_slots_a_child_has_the_more_waits_in_it_for_the_next_free_one(slots: int, ahead: int):
    ledger = ledger_with(200, slots=slots)
    for tag in tags(ledger.assign(0.0)[0]):
        run(ledger, tag, seconds=0.05)

    assert len(ledger.assign(0.0)[0]) == slots + ahead


def test_nothing_is_asked_for_without_children():
    assert Ledger(lease=LEASE).room() == 0


def test_nothing_is_asked_for_while_the_broker_lets_nothing_be_settled():
    ledger = ledger_with(1100, slots=2000)
    ledger.assign(0.0)
    for tag in range(1, 1101):
        run(ledger, tag)

    assert ledger.room() == 0


class TestWhereRequestsArePaidFor:
    BATCH = 10

    def ledger(self, count: int, *, slots: int = 4, seconds: float = 0.02) -> Ledger:
        """A ledger that has timed one run and holds so many messages, given to one child."""
        ledger = Ledger(lease=LEASE, paid_batch=self.BATCH)
        ledger.join(0, slots)
        ledger.admit([delivery(0)], asked_at=0.0)
        ledger.assign(0.0)
        run(ledger, 1, seconds=seconds)
        (first,) = ledger.due_settlements(0.0)
        ledger.settled(first.tag, Settled(), 0.0)
        ledger.admit([delivery(number) for number in range(1, count + 1)], asked_at=0.0)
        ledger.assign(0.0)
        return ledger

    def test_full_batches_are_asked_for(self):
        ledger = self.ledger(0)

        assert ledger.room() == 200  # a second of work, and what runs

    def test_nothing_is_asked_for_until_a_batch_has_room(self):
        assert self.ledger(195).room() == 0
        assert self.ledger(194).room() == 10

    def test_slow_tasks_are_not_hoarded_to_fill_a_batch(self):
        assert self.ledger(0, seconds=10.0).room() == 4
        assert self.ledger(4, seconds=10.0).room() == 0

    def test_what_has_ended_waits_until_its_request_is_full(self):
        ledger = self.ledger(20)
        for tag in range(2, 11):
            run(ledger, tag)
        assert ledger.due_settlements(0.0) == []

        run(ledger, 11)
        run(ledger, 12)

        assert tags(ledger.due_settlements(0.1)) == list(range(2, 12))

    def test_what_has_ended_waits_no_longer_than_a_moment(self):
        ledger = self.ledger(20)
        run(ledger, 2)
        assert ledger.due_settlements(1.0) == []
        assert ledger.settle_at() == 1.0 + LINGER

        assert tags(ledger.due_settlements(1.0 + LINGER)) == [2]

    def test_what_ends_when_nothing_else_is_held_waits_for_nothing(self):
        ledger = self.ledger(2)
        run(ledger, 2)
        assert ledger.due_settlements(1.0) == []

        run(ledger, 3)

        assert tags(ledger.due_settlements(1.0)) == [2, 3]

    def test_what_a_fifo_group_waits_for_is_settled_at_once(self):
        ledger = Ledger(lease=LEASE, paid_batch=self.BATCH)
        ledger.join(0, 4)
        ledger.admit([delivery(number, group="a") for number in (1, 2)], asked_at=0.0)
        ledger.assign(0.0)

        run(ledger, 1)

        assert tags(ledger.due_settlements(0.0)) == [1]
