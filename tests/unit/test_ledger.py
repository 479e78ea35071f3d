from __future__ import annotations

from cloudq.delivery import (
    Dead,
    Delivery,
    Done,
    Execution,
    Lost,
    Reason,
    Requeue,
    RetryLater,
    Settled,
    Unknown,
)
from cloudq.worker.ledger import LINGER, Ledger, State

LEASE = 60.0


def delivery(number: int, *, group: str | None = None) -> Delivery:
    queue = "orders.fifo" if group else "orders"
    return Delivery(
        queue=queue, id=str(number), body=b"{}", receipt=f"r{number}", receive_count=1, group=group
    )


def ledger_with(count: int = 1, *, slots: int = 1, children: int = 1, group: str | None = None):
    ledger = Ledger(lease=LEASE)
    for child in range(children):
        ledger.join(child, slots)
    ledger.admit([delivery(number, group=group) for number in range(1, count + 1)], asked_at=0.0)
    return ledger


def run(ledger: Ledger, tag: int, outcome=None, *, seconds: float = 1.0) -> None:
    ledger.start(tag, 0.0)
    ledger.finish(tag, Execution(outcome=outcome or Done(), seconds=seconds))


def tags(holdings) -> list[int]:
    return [holding.tag for holding in holdings]


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


def test_nothing_is_asked_for_without_children():
    assert Ledger(lease=LEASE).room() == 0


def test_nothing_is_asked_for_while_the_broker_lets_nothing_be_settled():
    ledger = ledger_with(1100, slots=2000)
    ledger.assign(0.0)
    for tag in range(1, 1101):
        run(ledger, tag)

    assert ledger.room() == 0


def test_messages_go_to_the_emptiest_child():
    ledger = ledger_with(2, children=2)

    given = ledger.assign(0.0)

    assert {child: tags(held) for child, held in given.items()} == {0: [1], 1: [2]}


def test_what_a_dead_child_had_not_begun_is_given_to_another_in_its_old_place():
    ledger = ledger_with(3, slots=2)
    ledger.assign(0.0)
    ledger.start(1, 0.0)

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


def test_a_lease_is_extended_when_half_of_it_is_gone():
    ledger = ledger_with(1)

    assert ledger.due_extensions(29.0) == []
    assert tags(ledger.due_extensions(30.0)) == [1]


def test_a_lease_is_extended_whether_its_message_waits_or_runs():
    ledger = ledger_with(2)
    ledger.assign(0.0)
    ledger.start(1, 0.0)

    assert tags(ledger.due_extensions(40.0)) == [1, 2]


def test_an_extension_counts_from_when_it_was_sent():
    ledger = ledger_with(1)
    ledger.due_extensions(30.0)

    ledger.extended(1, Settled(), asked_at=30.0)

    assert ledger[1].lease_until == 90.0


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


def test_whoever_runs_a_message_whose_lease_ran_out_is_told_once():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    ledger.start(1, 0.0)

    assert tags(ledger.lapse(60.0)) == [1]
    assert ledger.lapse(61.0) == []


def test_whoever_runs_a_message_whose_extension_was_refused_is_told():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    ledger.start(1, 0.0)
    ledger.due_extensions(30.0)
    ledger.extended(1, Lost(), asked_at=30.0)

    assert tags(ledger.lapse(31.0)) == [1]


def test_a_lapsed_message_that_waits_is_dropped():
    ledger = ledger_with(2)
    ledger.assign(0.0)

    ledger.lapse(60.0)

    assert ledger.get(2) is None


def test_a_message_that_lost_its_lease_is_not_settled():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    run(ledger, 1)

    assert ledger.due_settlements(60.0) == []
    assert len(ledger) == 0


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


def again(ledger: Ledger, *numbers: int) -> None:
    """What was given back comes again."""
    for holding in ledger.due_settlements(0.0):
        ledger.settled(holding.tag, Settled(), 0.0)
    ledger.admit([delivery(number) for number in numbers], asked_at=0.0)


def die_together(ledger: Ledger, *numbers: int) -> None:
    """Several run in one process, and it dies."""
    ledger.assign(0.0)
    for tag in numbers:
        ledger.start(tag, 0.0)
    for holding in ledger.leave(0):
        ledger.finish(holding.tag, Execution(outcome=Requeue()))
    ledger.join(1, 4)


def test_those_that_ran_in_a_process_that_died_are_run_again_one_at_a_time():
    ledger = ledger_with(2, slots=4)
    die_together(ledger, 1, 2)

    again(ledger, 1, 2)
    first = ledger.assign(0.0)
    between = ledger.assign(0.0)
    run(ledger, 3)
    second = ledger.assign(0.0)

    assert (tags(first[1]), between, tags(second[1])) == ([3], {}, [4])


def test_others_wait_while_a_suspect_runs_and_go_on_after_it():
    ledger = ledger_with(2, slots=4)
    die_together(ledger, 1, 2)
    again(ledger, 1, 9)

    first = ledger.assign(0.0)
    run(ledger, 3)
    second = ledger.assign(0.0)

    assert (tags(first[1]), tags(second[1])) == ([3], [4])


def test_a_busy_child_is_emptied_for_a_suspect():
    ledger = ledger_with(2, slots=4)
    die_together(ledger, 1, 2)
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
    ledger = ledger_with(2, slots=4)
    die_together(ledger, 1, 2)
    again(ledger, 1)
    ledger.assign(0.0)
    run(ledger, 3)
    again(ledger, 1, 9)

    assert tags(ledger.assign(0.0)[1]) == [4, 5]


def test_a_run_past_its_time_limit_is_named():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    ledger.start(1, 10.0, limit=5.0)

    assert ledger.overdue(14.9) == []
    assert tags(ledger.overdue(15.0)) == [1]


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


def test_a_stopping_worker_gives_back_what_no_child_has_uncounted():
    ledger = ledger_with(3)
    ledger.assign(0.0)

    ledger.give_back_ready("the worker stops")

    due = ledger.due_settlements(0.0)
    assert tags(due) == [2, 3]
    assert all(one.execution.outcome == Requeue(why="the worker stops") for one in due)


def test_what_a_child_hands_back_is_ready_again():
    ledger = ledger_with(1)
    ledger.assign(0.0)

    ledger.hand_back([1])

    assert ledger[1].state is State.READY
    assert tags(ledger.assign(0.0)[0]) == [1]


def test_a_report_on_a_message_that_is_held_no_longer_is_passed_over():
    ledger = ledger_with(1)

    ledger.finish(99, Execution(outcome=Done()))
    ledger.start(99, 0.0)
    ledger.hand_back([99])

    assert len(ledger) == 1


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
    ledger.hand_back([2])
    run(ledger, 1)

    assert ledger.spent() == [0]
    assert ledger.assign(0.0) == {}
    assert ledger[2].state is State.READY
