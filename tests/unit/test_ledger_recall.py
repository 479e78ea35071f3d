"""A message that comes again, since its lease was lost, isn't run again where it runs or has run here."""

from __future__ import annotations

import pytest

from cloudq.delivery import (
    Dead,
    Delivery,
    Done,
    Execution,
    Ignored,
    Lost,
    Outcome,
    Reason,
    Requeue,
    RetryLater,
    Settled,
)
from cloudq.worker.ledger import Ledger, State
from cloudq.worker.ledger.recall import KEPT_SECONDS, MOST, MOST_ACKED, Recall
from tests.ledgers import LEASE, delivery, tags

FIRST = delivery(1)
AGAIN = FIRST._replace(receipt="later", receive_count=2)


def ledger_of(*deliveries: Delivery, must_keep: bool = False) -> Ledger:
    """One child has what was received."""
    ledger = Ledger(lease=LEASE, must_keep=lambda _: must_keep)
    ledger.join(0, 4)
    ledger.admit(deliveries, asked_at=0.0)
    ledger.assign(0.0)
    return ledger


def ended(outcome: Outcome) -> Execution:
    return Execution(outcome, id="1", task="do", seconds=1.0)


def settle_in_vain(ledger: Ledger, tag: int, outcome: Outcome) -> None:
    """It has run, and the broker says that its lease isn't ours any more."""
    ledger.finish(tag, ended(outcome))
    ledger.due_settlements(1.0)
    ledger.settled(tag, Lost(), 1.0)


class TestAfterTheRun:
    @pytest.mark.parametrize("outcome", [Done(), Ignored("no"), Dead(Reason("failed", "it failed"))])
    def test_what_ended_for_good_is_settled_without_a_run(self, outcome: Outcome):
        ledger = ledger_of(FIRST)
        settle_in_vain(ledger, 1, outcome)

        ledger.admit([AGAIN], asked_at=2.0)

        assert ledger.assign(2.0) == {}
        (due,) = ledger.due_settlements(2.0)
        assert (due.delivery, due.execution) == (AGAIN, ended(outcome))

    @pytest.mark.parametrize("outcome", [RetryLater(5.0, 1), Requeue(5.0)])
    def test_what_was_to_run_again_runs(self, outcome: Outcome):
        ledger = ledger_of(FIRST)
        settle_in_vain(ledger, 1, outcome)

        ledger.admit([AGAIN], asked_at=2.0)

        assert tags(ledger.assign(2.0)[0]) == [2]

    @pytest.mark.parametrize(
        "other",
        [
            AGAIN._replace(body=b'{"generation":1}'),
            AGAIN._replace(queue="others"),
            AGAIN._replace(id="2"),
            AGAIN._replace(receive_count=1),
        ],
        ids=["a redrive or a retry", "a topic's copy", "another message", "a second one under the same id"],
    )
    def test_what_is_not_the_same_message_runs(self, other: Delivery):
        ledger = ledger_of(FIRST)
        settle_in_vain(ledger, 1, Done())

        ledger.admit([other], asked_at=2.0)

        assert tags(ledger.assign(2.0)[0]) == [2]

    def test_what_lapsed_before_it_could_be_settled_is_known_too(self):
        ledger = ledger_of(FIRST)
        ledger.finish(1, ended(Done()))
        assert ledger.due_settlements(LEASE) == []

        ledger.admit([AGAIN], asked_at=LEASE)

        assert tags(ledger.due_settlements(LEASE)) == [2]

    def test_who_was_told_that_its_lease_was_lost_may_have_given_up_and_runs_again(self):
        ledger = ledger_of(FIRST)
        ledger.lapse(LEASE)
        ledger.finish(1, ended(Done()))
        ledger.due_settlements(LEASE)

        ledger.admit([AGAIN], asked_at=LEASE)

        assert tags(ledger.assign(LEASE)[0]) == [2]

    def test_what_could_not_be_kept_runs_again(self):
        ledger = ledger_of(FIRST, must_keep=True)
        ledger.finish(1, ended(Done()))
        assert ledger.due_records(LEASE) == []

        ledger.admit([AGAIN], asked_at=LEASE)

        assert tags(ledger.assign(LEASE)[0]) == [2]

    def test_it_is_settled_once_and_runs_if_it_still_comes_again(self):
        ledger = ledger_of(FIRST)
        settle_in_vain(ledger, 1, Done())
        ledger.admit([AGAIN], asked_at=2.0)
        ledger.due_settlements(2.0)
        ledger.settled(2, Settled(), 2.0)

        ledger.admit([AGAIN._replace(receive_count=3)], asked_at=3.0)

        assert tags(ledger.assign(3.0)[0]) == [3]

    def test_its_group_goes_on_when_it_is_settled(self):
        first, second = delivery(1, group="a"), delivery(2, group="a")
        ledger = ledger_of(first, second)
        settle_in_vain(ledger, 1, Done())
        (back,) = ledger.due_settlements(1.0)
        ledger.settled(back.tag, Settled(), 1.0)

        ledger.admit([first._replace(receive_count=2), second], asked_at=2.0)

        assert ledger.assign(2.0) == {}
        (due,) = ledger.due_settlements(2.0)
        ledger.settled(due.tag, Settled(), 2.0)
        assert [one.delivery.id for one in ledger.assign(2.0)[0]] == ["2"]


class TestAfterAnAckThatIsNotAnswered:
    SENT = FIRST._replace(sent_at=1_800_000_000.0)
    SENT_AGAIN = SENT._replace(receipt="later", receive_count=2)

    def after_an_ack(self, first: Delivery = SENT, outcome: Outcome | None = None) -> Ledger:
        ledger = Ledger(lease=LEASE, answers_acks=False)
        ledger.join(0, 4)
        ledger.admit([first], asked_at=0.0)
        ledger.finish(1, ended(outcome or Done()))
        ledger.due_settlements(1.0)
        ledger.settled(1, Settled(), 1.0)
        return ledger

    @pytest.mark.parametrize("outcome", [Done({"a": "result"}), Ignored("no")])
    def test_what_comes_again_is_acked_without_a_run(self, outcome: Outcome):
        ledger = self.after_an_ack(outcome=outcome)

        for times in (2, 3):  # it may be forgotten again
            ledger.admit([self.SENT_AGAIN._replace(receive_count=times)], asked_at=2.0)

            assert ledger.assign(2.0) == {}
            (due,) = ledger.due_settlements(2.0)
            assert due.execution is not None
            assert isinstance(due.execution.outcome, Ignored)
            ledger.settled(due.tag, Settled(), 2.0)

    @pytest.mark.parametrize(
        "other",
        [
            SENT_AGAIN._replace(receive_count=1),
            SENT_AGAIN._replace(sent_at=1_800_000_001.0),
            SENT_AGAIN._replace(body=b'{"generation":1}'),
            SENT_AGAIN._replace(queue="others"),
            SENT_AGAIN._replace(id="2"),
        ],
        ids=["received for the first time", "sent later", "a redrive", "a topic's copy", "another message"],
    )
    def test_what_is_not_the_same_message_runs(self, other: Delivery):
        ledger = self.after_an_ack()

        ledger.admit([other], asked_at=2.0)

        assert tags(ledger.assign(2.0)[0]) == [2]

    @pytest.mark.parametrize("outcome", [RetryLater(5.0, 1), Requeue(5.0), Dead(Reason("failed", "no"))])
    def test_what_stays_in_some_queue_runs(self, outcome: Outcome):
        """A dead letter may have been put back as it was, by somebody else's tool."""
        ledger = self.after_an_ack(outcome=outcome)

        ledger.admit([self.SENT_AGAIN], asked_at=2.0)

        assert tags(ledger.assign(2.0)[0]) == [2]

    def test_what_was_sent_at_no_known_time_runs(self):
        ledger = self.after_an_ack(FIRST)

        ledger.admit([AGAIN], asked_at=2.0)

        assert tags(ledger.assign(2.0)[0]) == [2]

    def test_the_oldest_are_forgotten_first(self):
        recall = Recall()

        for number in range(MOST_ACKED):
            recall.remember_ack(self.SENT._replace(id=str(number)))

        assert recall.take(self.SENT_AGAIN._replace(id="0"), 1.0) is None
        assert recall.take(self.SENT_AGAIN._replace(id=str(MOST_ACKED // 2)), 1.0) is not None


class TestMemory:
    def remember(self, count: int) -> Recall:
        recall = Recall()
        ledger = Ledger(lease=LEASE)
        ledger.admit([delivery(number) for number in range(count)], asked_at=0.0)
        for tag in range(1, count + 1):
            ledger.finish(tag, ended(Done({"a": "result"})))
            recall.remember(ledger[tag], 0.0)
        return recall

    def test_it_lasts_for_a_while(self):
        assert self.remember(2).take(AGAIN, KEPT_SECONDS - 1) is not None
        assert self.remember(2).take(AGAIN, KEPT_SECONDS) is None

    def test_the_oldest_are_forgotten_first(self):
        recall = self.remember(MOST + 2)

        assert recall.take(AGAIN, 1.0) is None
        assert recall.take(AGAIN._replace(id="2"), 1.0) is not None

    def test_results_take_no_room_in_it(self):
        assert self.remember(2).take(AGAIN, 1.0) == ended(Done())

    def test_a_body_that_was_no_message_is_not_remembered(self):
        ledger = ledger_of(FIRST)
        ledger.finish(1, Execution(Dead(Reason("bad_body", "no JSON"))))
        recall = Recall()

        recall.remember(ledger[1], 0.0)

        assert recall.take(AGAIN, 1.0) is None


class TestDuringTheRun:
    def test_a_topics_copies_in_several_queues_are_told_apart(self):
        copy = FIRST._replace(queue="others")
        ledger = ledger_of(FIRST, copy)

        ledger.admit([AGAIN], asked_at=20.0)

        assert (len(ledger), ledger[1].delivery, ledger[2].delivery) == (2, AGAIN, copy)

    def test_a_run_goes_on_under_the_new_lease(self):
        ledger = ledger_of(FIRST)
        ledger.start(1)

        ledger.admit([AGAIN], asked_at=20.0)
        ledger.finish(1, ended(Done()))

        assert (len(ledger), ledger.assign(20.0)) == (1, {})
        (due,) = ledger.due_settlements(70.0)
        assert due.delivery.receipt == "later"

    def test_what_waits_keeps_its_place_under_the_new_lease(self):
        ledger = Ledger(lease=LEASE)
        ledger.admit([FIRST, delivery(2)], asked_at=0.0)

        ledger.admit([AGAIN], asked_at=20.0)
        ledger.join(0, 1)

        assert [one.delivery for one in ledger.assign(70.0)[0]] == [AGAIN]

    def test_what_waits_to_be_settled_is_settled_under_the_new_lease(self):
        ledger = ledger_of(FIRST)
        ledger.finish(1, ended(RetryLater(5.0, 1)))

        ledger.admit([AGAIN], asked_at=20.0)

        assert [one.delivery for one in ledger.due_settlements(20.0)] == [AGAIN]

    def test_an_answer_about_the_old_lease_is_not_taken_for_one_about_the_new(self):
        ledger = ledger_of(FIRST)
        ledger.due_extensions(30.0)

        ledger.admit([AGAIN], asked_at=31.0)
        ledger.extended(1, Lost(), asked_at=30.0)

        assert ledger[1].delivery is FIRST
        assert ledger[2].state is State.READY

    def test_who_was_told_of_the_loss_is_not_relied_on(self):
        ledger = ledger_of(FIRST)
        ledger.lapse(LEASE)

        ledger.admit([AGAIN], asked_at=LEASE)

        assert tags(ledger.assign(LEASE)[0]) == [2]

    def test_two_messages_under_one_id_are_two(self):
        ledger = ledger_of(FIRST, FIRST._replace(receipt="of another"))

        assert len(ledger) == 2
