"""Messages of a FIFO group run one after the other, and none overtakes one that went back."""

from __future__ import annotations

from cloudq.delivery import Dead, Lost, Reason, Requeue, RetryLater, Settled
from tests.ledgers import ledger_with, run, tags


def test_messages_of_a_group_run_one_after_the_other():
    ledger = ledger_with(2, slots=4, group="a")

    first = ledger.assign(0.0)
    run(ledger, 1)
    between = ledger.assign(0.0)
    ledger.due_settlements(0.0)
    ledger.settled(1, Settled(), 0.0)
    second = ledger.assign(0.0)

    assert tags(first[0]) == [1]
    assert between == {}
    assert tags(second[0]) == [2]


def test_a_group_goes_back_with_its_failed_head():
    ledger = ledger_with(3, slots=4, group="a")
    ledger.assign(0.0)
    run(ledger, 1, RetryLater(60.0, 1))
    ledger.due_settlements(0.0)
    ledger.settled(1, Settled(), 0.0)

    back = ledger.due_settlements(0.0)

    assert tags(back) == [2, 3]
    assert all(
        isinstance(one.execution.outcome, Requeue) and not one.execution.outcome.is_counted for one in back
    )


def test_a_group_goes_on_after_its_head_is_dead():
    ledger = ledger_with(2, slots=4, group="a")
    ledger.assign(0.0)
    run(ledger, 1, Dead(Reason("failed", "")))
    ledger.due_settlements(0.0)
    ledger.settled(1, Settled(), 0.0)

    assert tags(ledger.assign(0.0)[0]) == [2]


def test_a_group_goes_back_with_a_head_that_lost_its_lease():
    ledger = ledger_with(2, slots=4, group="a")
    ledger.assign(0.0)
    run(ledger, 1)
    ledger[2].lease_until = 120.0

    ledger.due_settlements(60.0)

    assert ledger.assign(60.0) == {}
    assert tags(ledger.due_settlements(60.0)) == [2]


def test_a_group_goes_back_with_a_head_whose_ack_came_too_late():
    ledger = ledger_with(2, slots=4, group="a")
    ledger.assign(0.0)
    run(ledger, 1)
    ledger.due_settlements(1.0)

    ledger.settled(1, Lost(), 1.0)

    assert ledger.assign(1.0) == {}
    assert tags(ledger.due_settlements(1.0)) == [2]
