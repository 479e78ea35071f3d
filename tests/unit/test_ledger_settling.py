"""What has ended is kept, then settled, and neither meets an extension."""

from __future__ import annotations

from cloudq.delivery import Done, Execution, Lost, Requeue, RetryLater, Settled, Unknown
from cloudq.worker.ledger import Ledger
from tests.ledgers import LEASE, delivery, ledger_with, run, tags


def test_a_settlement_waits_for_the_extension_under_way():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    ledger.due_extensions(30.0)
    run(ledger, 1)

    before = ledger.due_settlements(31.0)
    ledger.extended(1, Settled(), asked_at=30.0)

    assert before == []
    assert tags(ledger.due_settlements(31.0)) == [1]


def test_a_settlement_under_way_is_never_extended():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    run(ledger, 1)
    ledger.due_settlements(31.0)

    assert ledger.due_extensions(50.0) == []


def test_a_settlement_that_got_no_answer_is_tried_again_later_and_its_lease_is_kept():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    run(ledger, 1)
    ledger.due_settlements(29.9)
    ledger.settled(1, Unknown("time-out"), 29.9)

    assert ledger.due_settlements(29.9) == []
    assert tags(ledger.due_extensions(30.0)) == [1]
    ledger.extended(1, Settled(), asked_at=30.0)
    assert ledger.settle_at() is not None
    assert tags(ledger.due_settlements(31.0)) == [1]


def test_a_settled_message_is_held_no_longer():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    run(ledger, 1)
    ledger.due_settlements(1.0)

    ledger.settled(1, Settled(), 1.0)

    assert len(ledger) == 0


def test_a_stopping_worker_gives_back_what_no_child_has_uncounted():
    ledger = ledger_with(3)
    ledger.assign(0.0)

    ledger.give_back_ready("the worker stops")

    due = ledger.due_settlements(0.0)
    assert tags(due) == [2, 3]
    assert all(one.execution.outcome == Requeue(why="the worker stops") for one in due)


def keeping_ledger() -> Ledger:
    """One message has run, and its record is to be kept."""
    ledger = Ledger(lease=LEASE, must_keep=lambda _: True)
    ledger.join(0, 1)
    ledger.admit([delivery(1)], asked_at=0.0)
    ledger.assign(0.0)
    run(ledger, 1)
    return ledger


def test_nothing_is_settled_before_its_record_is_kept():
    ledger = keeping_ledger()

    before = ledger.due_settlements(1.0)
    due = ledger.due_records(1.0)
    while_kept = ledger.due_settlements(1.0)
    ledger.kept(1, due[0].execution, 1.0)

    assert (before, tags(due), while_kept) == ([], [1], [])
    assert tags(ledger.due_settlements(1.0)) == [1]


def test_a_lease_is_extended_while_its_record_is_being_kept():
    ledger = keeping_ledger()
    ledger.due_records(1.0)

    extended = ledger.due_extensions(31.0)
    ledger.extended(1, Settled(), asked_at=31.0)
    ledger.kept(1, Execution(outcome=Done()), 70.0)

    assert tags(extended) == [1]
    assert tags(ledger.due_settlements(70.0)) == [1]


def test_a_settlement_waits_for_an_extension_that_was_sent_while_the_record_was_kept():
    ledger = keeping_ledger()
    ledger.due_records(1.0)
    ledger.due_extensions(31.0)
    ledger.kept(1, Execution(outcome=Done()), 32.0)

    before = ledger.due_settlements(32.0)
    ledger.extended(1, Settled(), asked_at=31.0)

    assert before == []
    assert tags(ledger.due_settlements(33.0)) == [1]


def test_a_record_that_is_not_sure_to_be_kept_is_kept_again_later():
    ledger = keeping_ledger()
    ledger.due_records(1.0)
    ledger.kept(1, Unknown("time-out"), 1.0)

    assert ledger.due_records(1.0) == []
    assert ledger.due_settlements(1.0) == []
    assert tags(ledger.due_records(2.0)) == [1]


def test_the_outcome_that_keeping_came_to_is_settled():
    ledger = keeping_ledger()
    ledger.due_records(1.0)

    ledger.kept(1, Execution(outcome=Requeue(5.0, why="what follows wasn't taken")), 1.0)

    (due,) = ledger.due_settlements(1.0)
    assert due.execution.outcome.delay == 5.0


def test_what_was_settled_is_counted_by_what_became_of_it():
    ledger = ledger_with(4, slots=4)
    ledger.assign(0.0)
    outcomes = [Done(), RetryLater(delay=1.0, failures=1), Done(), Done()]
    for tag, outcome in enumerate(outcomes, start=1):
        run(ledger, tag, outcome)
    ledger.due_settlements(1.0)
    for tag, answer in enumerate([Settled(), Settled(), Lost(), Unknown("no answer")], start=1):
        ledger.settled(tag, answer, 1.0)

    assert (ledger.settled_counts[Done], ledger.settled_counts[RetryLater]) == (1, 1)
    assert ledger.finished_count == 1, "the one whose lease the broker may still count"


def test_what_is_ready_is_given_back_by_queue_and_the_rest_keeps_its_order():
    ledger = ledger_with(0, slots=4)
    received = [delivery(number)._replace(queue="ab"[number % 2]) for number in range(1, 5)]
    ledger.admit(received, asked_at=0.0)

    ledger.give_back_ready("its queue is paused", ["b"])

    assert [one.delivery.id for one in ledger.due_settlements(0.0)] == ["1", "3"]
    assert [one.delivery.id for one in ledger.assign(0.0)[0]] == ["2", "4"]
