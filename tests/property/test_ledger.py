"""Thousands of interleavings of receive, run, extend, settle, death and time: what holds in all of them.

A model of a broker stands beside the ledger. It alone knows whose leases are live, answers by that or
swallows the answer, and delivers again what has lost its lease.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloudq.delivery import (
    Answer,
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
    Unknown,
)
from cloudq.worker.ledger import Holding, Ledger, State
from tests.property.model_messages import Message, retries_of

LEASE = 60.0
GROUPS = ("a", "b")
OUTCOMES = st.sampled_from(
    [Done(), Ignored(), RetryLater(5.0, 1), Requeue(1.0), Dead(Reason("failed", "it failed"))]
)
GOOD = (Done, Ignored, Dead)
"""What ends a message for good."""


@dataclass
class Child:
    """One in the worker.

    Args:
        most: How many messages it may run.
        has_run: How many it has been given and not handed back.
        is_retired: Whether it is to be given nothing more.
    """

    most: int | None
    has_run: int = 0
    is_retired: bool = False


class LedgerMachine(RuleBasedStateMachine):
    paid_batch: int | None = None
    answers_acks = True

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ledger = Ledger(
            lease=LEASE,
            must_keep=lambda execution: execution.task == "has a record",
            paid_batch=self.paid_batch,
            answers_acks=self.answers_acks,
        )
        self.messages: list[Message] = []
        self.children: dict[int, Child] = {}
        self.last_child = self.last_tag = 0
        self.alive: dict[int, Holding] = {}
        self.leases: dict[int, float] = {}
        self.extending: dict[int, float] = {}
        self.settling: set[int] = set()
        self.keeping: set[int] = set()
        self.changing: set[str] = set()
        self.ended_receipts: set[str] = set()
        self.to_be_kept: set[int] = set()
        self.answered: set[int] = set()
        self.told: set[int] = set()
        self.suspects: set[str] = set()
        self.to_run_alone: set[int] = set()
        self.acked: set[tuple[int, int]] = set()
        """Messages that were acked here, with the retries in their bodies: as their broker may forget."""

    def message(self, tag: int) -> Message:
        return self.messages[int(self.alive[tag].delivery.id)]

    def tags(self, *states: State) -> list[int]:
        return sorted(tag for tag, one in self.alive.items() if one.state in states)

    def with_children(self, *states: State) -> list[int]:
        return [tag for tag in self.tags(*states) if self.ledger[tag].child in self.children]

    def in_child(self, child: int) -> list[int]:
        return [tag for tag in self.tags(State.ASSIGNED, State.RUNNING) if self.ledger[tag].child == child]

    def check_gone(self) -> None:
        """A holding is gone only by an answer or because its lease ran out."""
        for tag in [tag for tag in self.alive if self.ledger.get(tag) is None]:
            assert tag in self.answered or self.leases[tag] <= self.now, f"{tag} vanished under a live lease"
            assert tag not in self.extending
            assert tag not in self.settling
            assert tag not in self.keeping
            del self.alive[tag]

    @initialize(count=st.integers(0, 3))
    def some_died_together(self, count: int) -> None:
        """From the beginning there are messages in the broker that may have killed their process."""
        self.child_joins(3, None)
        self.receive([None] * count, 0)
        self.assign()
        for tag in self.tags(State.ASSIGNED):
            self.ledger.start(tag)
        self.end_child(self.last_child)
        self.ask_for_settlements()
        self.answer_all(is_heard=True, is_done=True)
        self.child_joins(2, None)

    # Children

    @rule(slots=st.integers(1, 3), most=st.sampled_from([None, None, 1, 3]))
    def child_joins(self, slots: int, most: int | None) -> None:
        self.last_child += 1
        self.children[self.last_child] = Child(most)
        self.ledger.join(self.last_child, slots, most)

    @precondition(lambda self: self.children)
    @rule(data=st.data(), begins=st.booleans())
    def child_dies(self, data: st.DataObject, begins: bool) -> None:
        """Its supervisor sees at its end what it ran."""
        child = data.draw(st.sampled_from(sorted(self.children)))
        for tag in self.in_child(child) if begins else ():
            self.ledger.start(tag)
        self.end_child(child)

    def end_child(self, child: int) -> None:
        begun = self.ledger.leave(child)
        del self.children[child]
        assert all(one.state is State.RUNNING for one in begun)
        if len(begun) > 1:
            self.suspects.update(one.delivery.id for one in begun)
        for holding in begun:
            self.ledger.finish(holding.tag, Execution(outcome=Requeue(why="its process died")))

    @precondition(lambda self: self.children)
    @rule(data=st.data())
    def retire(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(sorted(self.children)))
        self.ledger.retire(child)
        self.children[child].is_retired = True

    @rule()
    def replace_spent(self) -> None:
        for child in self.ledger.spent():
            known = self.children.pop(child)
            assert known.is_retired or known.has_run == known.most
            assert self.ledger.leave(child) == []

    @precondition(lambda self: self.with_children(State.ASSIGNED))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.ledger.start(data.draw(st.sampled_from(self.with_children(State.ASSIGNED))))

    @precondition(lambda self: self.with_children(State.ASSIGNED, State.RUNNING))
    @rule(
        data=st.data(),
        outcome=OUTCOMES,
        seconds=st.sampled_from([0.00001, 0.01, 10.0]),
        has_record=st.booleans(),
    )
    def finish(self, data: st.DataObject, outcome: Outcome, seconds: float, has_record: bool) -> None:
        """Its child says so; of a quick run it says nothing before."""
        self.end_run(
            data.draw(st.sampled_from(self.with_children(State.ASSIGNED, State.RUNNING))),
            outcome,
            seconds,
            has_record=has_record,
        )

    def end_run(self, tag: int, outcome: Outcome, seconds: float, *, has_record: bool) -> None:
        if has_record:
            self.to_be_kept.add(tag)
        else:
            self.note(tag, outcome)
        task = "has a record" if has_record else "has none"
        self.ledger.finish(
            tag, Execution(outcome, id=self.alive[tag].delivery.id, task=task, seconds=seconds)
        )

    def note(self, tag: int, outcome: Outcome) -> None:
        if tag not in self.told:
            self.message(tag).came_to.add((retries_of(self.alive[tag].delivery), type(outcome)))

    @precondition(lambda self: self.with_children(State.ASSIGNED))
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        tag = data.draw(st.sampled_from(self.with_children(State.ASSIGNED)))
        child = self.ledger[tag].child
        assert child is not None
        known = self.children[child]
        if known.most is None or known.has_run < known.most:
            known.has_run -= 1
        self.ledger.hand_back(child, [tag])

    @rule()
    def look_for_stalls(self) -> None:
        for child in self.ledger.stalled(self.now):
            assert child in self.children

    # The broker

    @rule(
        groups=st.lists(st.sampled_from([None, *GROUPS]), max_size=4),
        most=st.integers(0, 6),
        is_new_first=st.booleans(),
    )
    def receive(self, groups: list[str | None], most: int, is_new_first: bool = False) -> None:
        """What is new, and what waits: of a FIFO group in order, and nothing while any of it is leased."""
        new = [Message(len(self.messages) + index, group) for index, group in enumerate(groups)]
        self.messages += new
        free = [one for one in self.messages if not one.has_ended and one.lease_until <= self.now]
        blocked = {one.group for one in self.messages if one.group and one.lease_until > self.now}
        if is_new_first:
            free.sort(key=lambda one: (one.group is not None, one.number if one.group else -one.number))
        self.admit([one for one in free if one.group not in blocked][: max(most, len(new))])

    def admit(self, messages: list[Message]) -> None:
        held = {tag: one.delivery.receipt for tag, one in self.alive.items()}
        brought = [one.deliver(self.now + LEASE) for one in messages]
        self.ledger.admit(brought, asked_at=self.now)
        while (holding := self.ledger.get(self.last_tag + 1)) is not None:
            self.last_tag += 1
            self.alive[self.last_tag], self.leases[self.last_tag] = holding, self.now + LEASE
            if holding.delivery.id in self.suspects:
                self.to_run_alone.add(self.last_tag)
            message = self.message(self.last_tag)
            if (message.number, retries_of(holding.delivery)) in self.acked:
                assert holding.execution is not None, "it was acked here, and runs again"
                message.came_to.add((message.retries, type(holding.execution.outcome)))
            if holding.execution is not None:
                self.check_recalled(message, holding.delivery, holding.execution.outcome)
        for tag, receipt in held.items():
            if self.alive[tag].delivery.receipt != receipt:
                assert receipt not in self.changing, "an answer about the old lease will be taken for the new"
                self.leases[tag] = self.now + LEASE
        receipts = {one.delivery.receipt for one in self.alive.values()}
        assert all(one.receipt in receipts for one in brought), "what was received is held by nobody"

    def check_recalled(self, message: Message, delivery: Delivery, outcome: Outcome) -> None:
        assert isinstance(outcome, GOOD), "it must run again"
        assert (retries_of(delivery), type(outcome)) in message.came_to, "it hasn't run to that end"

    @rule()
    def leases_are_lost(self) -> None:
        """As when a connection to RabbitMQ breaks, or Redis begins anew."""
        for message in self.messages:
            message.lease_until = float("-inf")

    @rule()
    def assign(self) -> None:
        given = self.ledger.assign(self.now)
        self.check_gone()
        for number, holdings in given.items():
            child = self.children[number]
            assert not child.is_retired
            child.has_run += len(holdings)
            assert child.most is None or child.has_run <= child.most
            for holding in holdings:
                assert self.leases[holding.tag] > self.now, "a lapsed message was handed out"
                self.check_turn(self.message(holding.tag))

    def check_turn(self, message: Message) -> None:
        before = [one for one in self.messages[: message.number] if one.group == message.group]
        assert message.group is None or all(one.has_ended for one in before), "it overtook one of its group"

    @rule()
    def ask_for_extensions(self) -> None:
        for holding in self.ledger.due_extensions(self.now):
            self.begin_change(holding)
            self.extending[holding.tag] = self.now

    def begin_change(self, holding: Holding) -> None:
        receipt = holding.delivery.receipt
        assert receipt not in self.changing, "two requests change one lease"
        assert receipt not in self.ended_receipts, "a lease that was ended is changed"
        self.changing.add(receipt)

    def answer(self, tag: int, *, is_heard: bool, is_done: bool) -> tuple[Answer, bool]:
        """What the broker says to a request to change a lease, and whether it has done it."""
        delivery, message = self.alive[tag].delivery, self.message(tag)
        self.changing.remove(delivery.receipt)
        if message.receipt != delivery.receipt or message.lease_until <= self.now:
            return (Lost() if is_heard else Unknown("the answer was lost")), False
        if is_heard:
            return Settled(), True
        return Unknown("the answer was lost"), is_done

    @precondition(lambda self: self.extending)
    @rule(data=st.data(), is_heard=st.booleans(), is_done=st.booleans())
    def answer_extension(self, data: st.DataObject, is_heard: bool, is_done: bool) -> None:
        self.end_extension(data.draw(st.sampled_from(sorted(self.extending))), is_heard, is_done)

    def end_extension(self, tag: int, is_heard: bool, is_done: bool) -> None:
        asked_at = self.extending.pop(tag)
        answer, has_happened = self.answer(tag, is_heard=is_heard, is_done=is_done)
        if has_happened:
            self.message(tag).lease_until = asked_at + LEASE
        if isinstance(answer, Settled):
            self.leases[tag] = asked_at + LEASE
        elif isinstance(answer, Lost):
            self.leases[tag] = self.now
        self.ledger.extended(tag, answer, asked_at)

    @rule()
    def ask_for_records(self) -> None:
        for holding in self.ledger.due_records(self.now):
            assert holding.tag in self.to_be_kept
            assert holding.tag not in self.keeping
            assert holding.tag not in self.settling
            assert self.leases[holding.tag] > self.now or holding.tag in self.extending
            self.keeping.add(holding.tag)
        self.check_gone()

    @precondition(lambda self: self.keeping)
    @rule(data=st.data(), comes_to=st.sampled_from(["kept", "kept", "unsure", "what follows isn't taken"]))
    def answer_keeping(self, data: st.DataObject, comes_to: str) -> None:
        tag = data.draw(st.sampled_from(sorted(self.keeping)))
        self.keeping.remove(tag)
        execution = self.ledger[tag].execution
        assert execution is not None
        if comes_to == "unsure":
            self.ledger.kept(tag, Unknown("the answer was lost"), self.now)
            return
        if comes_to != "kept":
            execution = execution._replace(outcome=Requeue(5.0, is_counted=True))
        self.to_be_kept.remove(tag)
        self.note(tag, execution.outcome)
        self.ledger.kept(tag, execution, self.now)

    @rule()
    def ask_for_settlements(self) -> None:
        for holding in self.ledger.due_settlements(self.now):
            self.begin_change(holding)
            assert holding.tag not in self.to_be_kept
            assert holding.execution is not None
            self.settling.add(holding.tag)
        self.check_gone()

    @precondition(lambda self: self.settling)
    @rule(data=st.data(), is_heard=st.booleans(), is_done=st.booleans())
    def answer_settlement(self, data: st.DataObject, is_heard: bool, is_done: bool) -> None:
        self.end_settlement(data.draw(st.sampled_from(sorted(self.settling))), is_heard, is_done)

    def end_settlement(self, tag: int, is_heard: bool, is_done: bool) -> None:
        self.settling.remove(tag)
        holding, message = self.alive[tag], self.message(tag)
        assert holding.execution is not None
        outcome = holding.execution.outcome
        answer, has_happened = self.answer(tag, is_heard=is_heard, is_done=is_done)
        if has_happened:
            came_to = (message.retries, type(outcome))
            assert not isinstance(outcome, GOOD) or came_to in message.came_to, (
                "no run came to that: it is lost"
            )
            message.settle(outcome)
            if isinstance(answer, Settled) and isinstance(outcome, (Done, Ignored)) and not self.answers_acks:
                self.acked.add(came_to)
        if not isinstance(answer, Unknown):
            self.answered.add(tag)
            self.ended_receipts.add(holding.delivery.receipt)
        if isinstance(answer, Settled) and isinstance(outcome, GOOD) and tag in self.to_run_alone:
            self.suspects.discard(holding.delivery.id)
        self.ledger.settled(tag, answer, self.now)
        self.check_gone()

    @rule()
    def turn(self) -> None:
        """As a supervisor's loop does it."""
        self.look_for_lapsed()
        self.ask_for_extensions()
        self.ask_for_records()
        self.ask_for_settlements()
        self.assign()

    @rule(outcome=OUTCOMES)
    def all_ends(self, outcome: Outcome) -> None:
        for tag in self.with_children(State.ASSIGNED, State.RUNNING):
            self.end_run(tag, outcome, 0.01, has_record=False)

    @rule(outcome=OUTCOMES, is_told=st.booleans(), has_record=st.booleans())
    def all_ends_in_vain(self, outcome: Outcome, is_told: bool, has_record: bool) -> None:
        """What ends has lost its lease, and comes again."""
        self.receive([None], most=3)
        self.assign()
        if is_told:
            self.time_passes(LEASE)
            self.look_for_lapsed()
        else:
            self.leases_are_lost()
        for tag in self.with_children(State.ASSIGNED, State.RUNNING):
            self.end_run(tag, outcome, 0.01, has_record=has_record)
        self.ask_for_settlements()
        self.answer_all(is_heard=True, is_done=True)
        self.receive([], most=6)

    @rule(outcome=OUTCOMES)
    def another_worker_runs_some(self, outcome: Outcome) -> None:
        for message in self.messages:
            if message.group is None and not message.has_ended and message.lease_until <= self.now:
                message.deliver(self.now)
                message.settle(outcome)

    @rule(is_heard=st.booleans(), is_done=st.booleans())
    def answer_all(self, is_heard: bool, is_done: bool) -> None:
        for tag in sorted(self.extending):
            self.end_extension(tag, is_heard, is_done)
        for tag in sorted(self.settling):
            self.end_settlement(tag, is_heard, is_done)

    @rule(seconds=st.sampled_from([0.1, 5.0, 31.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def look_for_lapsed(self) -> None:
        for holding in self.ledger.lapse(self.now):
            assert self.leases[holding.tag] <= self.now
            assert holding.tag not in self.told
            self.told.add(holding.tag)
        self.check_gone()

    @rule()
    def stop(self) -> None:
        self.ledger.give_back_ready("the worker stops")
        assert self.tags(State.READY) == []

    # What holds at any time

    @invariant()
    def one_message_of_a_group_is_with_children_at_a_time(self) -> None:
        for group in GROUPS:
            out = [
                tag
                for tag in self.tags(State.ASSIGNED, State.RUNNING)
                if self.message(tag).group == group and tag not in self.told
            ]
            assert len(out) <= 1

    @invariant()
    def a_suspect_runs_alone(self) -> None:
        suspects = [tag for tag in self.tags(State.ASSIGNED, State.RUNNING) if tag in self.to_run_alone]
        assert len(suspects) <= 1
        for tag in suspects:
            child = self.ledger[tag].child
            assert child is not None
            assert self.in_child(child) == [tag]

    @invariant()
    def what_has_ended_is_due_or_under_way(self) -> None:
        """Nothing that has ended is forgotten: the loop wakes for it, or an answer is on its way."""
        idle = set(self.tags(State.FINISHED)) - self.keeping - self.settling - set(self.extending)
        assert not idle or self.ledger.settle_at() is not None

    @invariant()
    def counts_add_up(self) -> None:
        assert len(self.ledger) == len([tag for tag in self.alive if self.ledger.get(tag)])

    def teardown(self) -> None:
        """From wherever it got to, a worker that is left alone ends everything that there is."""
        self.answer_all(is_heard=False, is_done=False)
        for tag in self.keeping:
            self.ledger.kept(tag, Unknown("late"), self.now)
        self.keeping = set()
        self.child_joins(1, None)
        for _ in range(20 * (len(self.messages) + 1)):
            if all(one.has_ended for one in self.messages) and not len(self.ledger):
                return
            self.go_on()
        raise AssertionError(f"{len(self.ledger)} messages are held for ever, or lost")

    def go_on(self) -> None:
        self.now += 31.0
        self.receive([], most=len(self.messages))
        self.look_for_lapsed()
        for holding in self.ledger.due_extensions(self.now):
            message = self.message(holding.tag)
            is_ours = message.receipt == holding.delivery.receipt and message.lease_until > self.now
            self.leases[holding.tag] = message.lease_until = self.now + LEASE if is_ours else self.now
            self.ledger.extended(holding.tag, Settled() if is_ours else Lost(), self.now)
        self.replace_spent()
        self.assign()
        for tag in self.with_children(State.ASSIGNED, State.RUNNING):
            self.end_run(tag, Done(), 0.01, has_record=True)
        self.ask_for_records()
        for tag in list(self.keeping):
            self.keeping.remove(tag)
            self.to_be_kept.remove(tag)
            execution = self.ledger[tag].execution
            assert execution is not None
            self.note(tag, execution.outcome)
            self.ledger.kept(tag, execution, self.now)
        self.ask_for_settlements()
        self.answer_all(is_heard=True, is_done=True)


LedgerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestLedger = LedgerMachine.TestCase


class PaidLedgerMachine(LedgerMachine):
    paid_batch = 3


PaidLedgerMachine.TestCase.settings = LedgerMachine.TestCase.settings
TestLedgerWhereRequestsArePaidFor = PaidLedgerMachine.TestCase


class ForgetfulBrokerMachine(LedgerMachine):
    answers_acks = False

    @rule()
    def the_broker_forgets_acks(self) -> None:
        """As one does that dies; only brokers without ordered groups don't answer acks."""
        for message in self.messages:
            if message.group is None and (message.number, message.retries) in self.acked:
                message.has_ended = False
                message.lease_until = float("-inf")


ForgetfulBrokerMachine.TestCase.settings = LedgerMachine.TestCase.settings
TestLedgerWhereAcksAreNotAnswered = ForgetfulBrokerMachine.TestCase
