"""What ran in a process that died, with others beside it, is run alone."""

from __future__ import annotations

from cloudq.delivery import Execution, Requeue, Settled
from cloudq.worker.ledger import Ledger
from tests.ledgers import LEASE, delivery, ledger_with, run, tags


def again(ledger: Ledger, *numbers: int) -> None:
    """What was given back comes again."""
    for holding in ledger.due_settlements(0.0):
        ledger.settled(holding.tag, Settled(), 0.0)
    ledger.admit([delivery(number) for number in numbers], asked_at=0.0)


def die_together(ledger: Ledger, *numbers: int) -> None:
    """Several run in one process, and it dies."""
    ledger.assign(0.0)
    for tag in numbers:
        ledger.start(tag)
    for holding in ledger.leave(0):
        ledger.finish(holding.tag, Execution(outcome=Requeue()))
    ledger.join(1, 4)


def two_that_died_together() -> Ledger:
    """Messages 1 and 2; they aren't held any more."""
    ledger = ledger_with(2, slots=4)
    die_together(ledger, 1, 2)
    return ledger


def test_those_that_ran_in_a_process_that_died_are_run_again_one_at_a_time():
    ledger = two_that_died_together()

    again(ledger, 1, 2)
    first = ledger.assign(0.0)
    between = ledger.assign(0.0)
    run(ledger, 3)
    second = ledger.assign(0.0)

    assert (tags(first[1]), between, tags(second[1])) == ([3], {}, [4])


def test_others_wait_while_a_suspect_runs_and_go_on_after_it():
    ledger = two_that_died_together()
    again(ledger, 1, 9)

    first = ledger.assign(0.0)
    run(ledger, 3)
    second = ledger.assign(0.0)

    assert (tags(first[1]), tags(second[1])) == ([3], [4])


def test_a_busy_child_is_emptied_for_a_suspect():
    ledger = two_that_died_together()
    again(ledger, 8, 9)
    ledger.assign(0.0)
    ledger.admit([delivery(1), delivery(7)], asked_at=0.0)

    while_busy = ledger.assign(0.0)
    run(ledger, 3)
    run(ledger, 4)
    when_empty = ledger.assign(0.0)

    assert while_busy == {}
    assert tags(when_empty[1]) == [5]


def test_one_that_died_alone_is_no_suspect():
    ledger = ledger_with(1)
    die_together(ledger, 1)
    again(ledger, 1, 9)

    assert tags(ledger.assign(0.0)[1]) == [2, 3]


def test_a_suspect_that_ended_well_is_none_any_more():
    ledger = two_that_died_together()
    again(ledger, 1)
    ledger.assign(0.0)
    run(ledger, 3)
    again(ledger, 1, 9)

    assert tags(ledger.assign(0.0)[1]) == [4, 5]


def test_a_child_is_kept_free_no_longer_for_a_suspect_that_lost_its_lease():
    ledger = two_that_died_together()
    again(ledger, 9)
    ledger.assign(0.0)
    again(ledger, 1)
    assert ledger.assign(0.0) == {}  # the child is being emptied for it
    run(ledger, 3)
    ledger.lapse(LEASE)

    ledger.admit([delivery(7)], asked_at=LEASE)

    assert tags(ledger.assign(LEASE)[1]) == [5]
