"""Which child is given what, and what becomes of it when the child is gone."""

from __future__ import annotations

from cloudq.delivery import Done, Execution
from cloudq.worker.ledger import Ledger, State
from tests.ledgers import LEASE, delivery, ledger_with, run, tags


def test_messages_go_to_the_emptiest_child():
    ledger = ledger_with(2, children=2)

    given = ledger.assign(0.0)

    assert {child: tags(held) for child, held in given.items()} == {0: [1], 1: [2]}


def test_what_a_dead_child_had_not_begun_is_given_to_another_in_its_old_place():
    ledger = ledger_with(3, slots=2)
    ledger.assign(0.0)
    ledger.start(1)

    begun = ledger.leave(0)
    ledger.join(7, 1)

    assert tags(begun) == [1]
    assert tags(ledger.assign(0.0)[7]) == [2]


def test_what_a_dead_child_had_finished_is_settled_as_it_reported():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    run(ledger, 1)

    assert ledger.leave(0) == []
    assert tags(ledger.due_settlements(0.0)) == [1]


def test_what_a_child_hands_back_is_ready_again():
    ledger = ledger_with(1)
    ledger.assign(0.0)

    ledger.hand_back(0, [1])

    assert ledger[1].state is State.READY
    assert tags(ledger.assign(0.0)[0]) == [1]


def test_a_report_on_a_message_that_is_held_no_longer_is_passed_over():
    ledger = ledger_with(1)

    ledger.finish(99, Execution(outcome=Done()))
    ledger.start(99)
    ledger.hand_back(0, [99])

    assert len(ledger) == 1


def test_a_child_is_given_no_more_than_it_may_have():
    ledger = Ledger(lease=LEASE)
    ledger.join(0, 4, most=2)
    ledger.admit([delivery(number) for number in (1, 2, 3)], asked_at=0.0)

    given = ledger.assign(0.0)

    assert tags(given[0]) == [1, 2]
    assert ledger.assign(0.0) == {}


def test_a_child_is_spent_when_all_that_it_was_given_has_ended():
    ledger = Ledger(lease=LEASE)
    ledger.join(0, 2, most=2)
    ledger.admit([delivery(1), delivery(2)], asked_at=0.0)
    ledger.assign(0.0)

    run(ledger, 1)
    before = ledger.spent()
    run(ledger, 2)

    assert (before, ledger.spent()) == ([], [0])


def test_a_retired_child_gives_back_what_it_has_not_begun_and_is_spent():
    ledger = ledger_with(2, slots=2)
    ledger.assign(0.0)

    ledger.retire(0)
    ledger.hand_back(0, [2])
    run(ledger, 1)

    assert ledger.spent() == [0]
    assert ledger.assign(0.0) == {}
    assert ledger[2].state is State.READY


def test_a_child_cannot_hand_back_what_another_has():
    ledger = ledger_with(1, children=2)
    (owner,) = ledger.assign(0.0)

    ledger.hand_back(1 - owner, [1])

    assert ledger.assign(0.0) == {}
    assert ledger[1].child == owner


def test_what_has_begun_is_not_handed_back():
    ledger = ledger_with(1, slots=2)
    ledger.assign(0.0)
    ledger.start(1)

    ledger.hand_back(0, [1])

    assert ledger[1].state is State.RUNNING
