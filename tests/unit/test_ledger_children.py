"""Which child is given what, and what becomes of it when the child is gone."""

from __future__ import annotations

from cloudq.delivery import Done, Execution, Requeue, Settled
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


def quick_ledger(count: int, *, children: int = 2) -> Ledger:
    """Whose runs have been so quick that each child is given many ahead; the first of each is to be slow."""
    ledger = ledger_with(1, children=children)
    ledger.assign(0.0)
    run(ledger, 1, seconds=0.001)
    ledger.settled(1, Settled(), 0.0)
    ledger.admit([delivery(number) for number in range(2, 2 + count)], asked_at=0.0)
    return ledger


def test_a_child_in_which_no_run_ends_gives_back_what_waits_there():
    ledger = quick_ledger(count=12)
    slow, quick = ledger.assign(0.0).values()

    assert ledger.stalled(0.0) == []
    run(ledger, quick[0].tag, seconds=0.001)

    assert ledger.stalled(0.1) == [slow[0].child]


def test_a_stalled_child_is_given_nothing_ahead_until_a_run_of_it_ends():
    ledger = quick_ledger(count=40)
    (slow, held), (quick, others) = ledger.assign(0.0).items()
    ledger.stalled(0.0)
    run(ledger, others[0].tag, seconds=0.001)
    ledger.stalled(0.1)
    ledger.start(held[0].tag)
    ledger.hand_back(slow, tags(held))

    assert set(ledger.assign(0.1)) <= {quick}

    ledger.finish(held[0].tag, Execution(outcome=Done(), seconds=0.001))

    assert slow in ledger.assign(0.2)


def test_what_waits_in_vain_while_no_run_ends_goes_back_to_its_queue():
    ledger = quick_ledger(count=60, children=1)
    ledger.assign(0.0)
    ready = [one for one in map(ledger.get, range(2, 62)) if one and one.state is State.READY]

    ledger.stalled(0.0)
    ledger.stalled(0.4)
    assert ledger.finished_count == 0
    ledger.stalled(0.5)

    assert all(one.state is State.FINISHED for one in ready)
    assert {type(one.execution.outcome) for one in ready if one.execution} == {Requeue}
    assert ledger.room() == 0


def test_what_waits_behind_a_run_of_its_own_group_stays():
    ledger = ledger_with(3, children=1, group="a")
    ledger.assign(0.0)

    ledger.stalled(0.0)
    ledger.stalled(60.0)

    assert [ledger[tag].state for tag in (2, 3)] == [State.READY] * 2


def test_an_earlier_wait_does_not_count():
    ledger = quick_ledger(count=60, children=1)
    ledger.assign(0.0)
    ledger.stalled(0.0)
    for tag in range(2, 62):
        ledger.assign(0.1)
        run(ledger, tag, seconds=0.001)
    ledger.stalled(0.2)  # nothing waits any more
    ledger.admit([delivery(number) for number in range(100, 160)], asked_at=100.0)
    ledger.assign(100.0)

    ledger.stalled(100.1)

    assert not [one for one in map(ledger.get, range(62, 122)) if one and one.state is State.FINISHED]
