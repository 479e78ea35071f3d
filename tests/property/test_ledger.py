"""Thousands of interleavings of receive, run, extend, settle, death and time: what holds in all of them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloudq.delivery import (
    Dead,
    Delivery,
    Done,
    Execution,
    Ignored,
    Lost,
    Reason,
    Requeue,
    RetryLater,
    Settled,
    Unknown,
)
from cloudq.worker.ledger import Ledger, State

LEASE = 60.0
OUTCOMES = st.sampled_from(
    [Done(), Ignored(), RetryLater(5.0, 1), Requeue(1.0), Dead(Reason("failed", "it failed"))]
)
ANSWERS = st.sampled_from([Settled(), Lost(), Unknown("the answer was lost")])


class LedgerMachine(RuleBasedStateMachine):
    paid_batch: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.ledger = Ledger(
            lease=LEASE, must_keep=lambda execution: bool(execution.id), paid_batch=self.paid_batch
        )
        self.numbers = 0
        self.children: dict[int, int] = {}
        self.next_child = 0
        self.alive: dict[int, Delivery] = {}
        self.leases: dict[int, float] = {}
        self.extending: dict[int, float] = {}
        self.settling: set[int] = set()
        self.keeping: set[int] = set()
        self.to_be_kept: set[int] = set()
        self.ended: set[int] = set()
        self.acked: set[int] = set()
        self.broken: dict[str | None, int] = {}

    def tags(self, *states: State) -> list[int]:
        return sorted(tag for tag in self.alive if (held := self.ledger.get(tag)) and held.state in states)

    def with_living_children(self, *states: State) -> list[int]:
        return [tag for tag in self.tags(*states) if self.ledger[tag].child in self.children]

    def check_gone(self) -> None:
        """A holding is gone only by an answer or because its lease ran out."""
        for tag in [tag for tag in self.alive if self.ledger.get(tag) is None]:
            assert tag in self.ended or self.lapsed_at(tag), f"{tag} vanished under a live lease"
            assert tag not in self.extending
            assert tag not in self.settling
            assert tag not in self.keeping
            if tag not in self.acked:
                self.broken[self.alive[tag].group] = self.numbers
            del self.alive[tag]

    def lapsed_at(self, tag: int) -> bool:
        return self.leases[tag] <= self.now

    @rule(slots=st.integers(1, 3))
    def child_joins(self, slots: int) -> None:
        self.next_child += 1
        self.children[self.next_child] = slots
        self.ledger.join(self.next_child, slots)

    @precondition(lambda self: self.children)
    @rule(data=st.data())
    def child_dies(self, data: st.DataObject) -> None:
        child = data.draw(st.sampled_from(sorted(self.children)))
        del self.children[child]
        for holding in self.ledger.leave(child):
            assert holding.state is State.RUNNING
            self.ledger.finish(holding.tag, Execution(outcome=Requeue(why="its process died")))

    @rule(groups=st.lists(st.sampled_from([None, "a", "b"]), min_size=1, max_size=4))
    def receive(self, groups: list[str | None]) -> None:
        brought = []
        for group in groups:
            self.numbers += 1
            queue = "q.fifo" if group else "q"
            one = Delivery(
                queue=queue, id=str(self.numbers), body=b"{}", receipt="r", receive_count=1, group=group
            )
            brought.append(one)
            self.alive[self.numbers] = one
            self.leases[self.numbers] = self.now + LEASE
        self.ledger.admit(brought, asked_at=self.now)

    @rule()
    def assign(self) -> None:
        given = self.ledger.assign(self.now)
        self.check_gone()
        for child, holdings in given.items():
            assert child in self.children
            for holding in holdings:
                assert self.leases[holding.tag] > self.now, "a lapsed message was handed out"
                group = holding.delivery.group
                assert group is None or holding.tag > self.broken.get(group, 0), "one before it went back"

    @precondition(lambda self: self.with_living_children(State.ASSIGNED))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.ledger.start(data.draw(st.sampled_from(self.with_living_children(State.ASSIGNED))), self.now)

    @precondition(lambda self: self.with_living_children(State.ASSIGNED, State.RUNNING))
    @rule(
        data=st.data(),
        outcome=OUTCOMES,
        seconds=st.sampled_from([0.00001, 0.01, 10.0]),
        is_kept=st.booleans(),
    )
    def finish(self, data: st.DataObject, outcome, seconds: float, is_kept: bool) -> None:
        """Its child says so; of a quick run it says nothing before."""
        tag = data.draw(st.sampled_from(self.with_living_children(State.ASSIGNED, State.RUNNING)))
        if is_kept:
            self.to_be_kept.add(tag)
        self.ledger.finish(tag, Execution(outcome=outcome, id="1" if is_kept else "", seconds=seconds))

    @precondition(lambda self: self.with_living_children(State.ASSIGNED))
    @rule(data=st.data())
    def hand_back(self, data: st.DataObject) -> None:
        self.ledger.hand_back([data.draw(st.sampled_from(self.with_living_children(State.ASSIGNED)))])

    @rule()
    def ask_for_extensions(self) -> None:
        for holding in self.ledger.due_extensions(self.now):
            assert holding.tag not in self.extending
            assert holding.tag not in self.settling
            assert holding.tag not in self.ended
            self.extending[holding.tag] = self.now

    @precondition(lambda self: self.extending)
    @rule(data=st.data(), answer=ANSWERS)
    def answer_extension(self, data: st.DataObject, answer) -> None:
        tag = data.draw(st.sampled_from(sorted(self.extending)))
        asked_at = self.extending.pop(tag)
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
    @rule(data=st.data(), is_sure=st.booleans())
    def answer_keeping(self, data: st.DataObject, is_sure: bool) -> None:
        tag = data.draw(st.sampled_from(sorted(self.keeping)))
        self.keeping.remove(tag)
        if is_sure:
            self.to_be_kept.remove(tag)
        execution = self.ledger[tag].execution
        self.ledger.kept(tag, execution if is_sure else Unknown("the answer was lost"), self.now)

    @rule()
    def ask_for_settlements(self) -> None:
        for holding in self.ledger.due_settlements(self.now):
            assert holding.tag not in self.to_be_kept
            assert holding.tag not in self.extending
            assert holding.tag not in self.settling
            assert holding.execution is not None
            self.settling.add(holding.tag)
        self.check_gone()

    @precondition(lambda self: self.settling)
    @rule(data=st.data(), answer=ANSWERS)
    def answer_settlement(self, data: st.DataObject, answer) -> None:
        tag = data.draw(st.sampled_from(sorted(self.settling)))
        self.settling.remove(tag)
        if not isinstance(answer, Unknown):
            self.ended.add(tag)
        outcome = self.ledger[tag].execution.outcome
        if isinstance(answer, Settled) and isinstance(outcome, (Done, Ignored, Dead)):
            self.acked.add(tag)
        self.ledger.settled(tag, answer, self.now)
        self.check_gone()

    @rule(seconds=st.sampled_from([0.1, 5.0, 31.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def look_for_lapsed(self) -> None:
        for holding in self.ledger.lapse(self.now):
            assert self.lapsed_at(holding.tag)
        self.check_gone()

    @rule()
    def stop(self) -> None:
        self.ledger.give_back_ready("the worker stops")

    @invariant()
    def one_message_of_a_group_is_with_children_at_a_time(self) -> None:
        for group in ("a", "b"):
            out = [
                tag
                for tag in self.tags(State.ASSIGNED, State.RUNNING)
                if self.alive[tag].group == group and not self.ledger[tag].is_lost
            ]
            assert len(out) <= 1

    @invariant()
    def what_has_ended_is_due_or_under_way(self) -> None:
        """Nothing that has ended is forgotten: the loop wakes for it, or an answer is on its way."""
        idle = set(self.tags(State.FINISHED)) - self.keeping - self.settling - set(self.extending)
        assert not idle or self.ledger.settle_at() is not None

    @invariant()
    def counts_add_up(self) -> None:
        assert len(self.ledger) == len([tag for tag in self.alive if self.ledger.get(tag)])

    def late_answers(self) -> None:
        for tag, asked_at in self.extending.items():
            self.ledger.extended(tag, Unknown("late"), asked_at)
        for tag in self.settling:
            self.ledger.settled(tag, Unknown("late"), self.now)
        for tag in self.keeping:
            self.ledger.kept(tag, Unknown("late"), self.now)

    def teardown(self) -> None:
        """From wherever it got to, a worker that is left alone ends everything it holds."""
        self.late_answers()
        self.ledger.join(0, 1)
        self.children[0] = 1
        for _ in range(20 * (self.numbers + 1)):
            if not len(self.ledger):
                return
            self.now += 31.0
            self.ledger.lapse(self.now)
            for holding in self.ledger.due_extensions(self.now):
                self.ledger.extended(holding.tag, Settled(), self.now)
            self.ledger.assign(self.now)
            for tag in self.with_living_children(State.ASSIGNED):
                self.ledger.start(tag, self.now)
            for tag in self.with_living_children(State.RUNNING):
                self.ledger.finish(tag, Execution(outcome=Done()))
            for holding in self.ledger.due_records(self.now):
                self.ledger.kept(holding.tag, holding.execution, self.now)
            for holding in self.ledger.due_settlements(self.now):
                self.ledger.settled(holding.tag, Settled(), self.now)
        raise AssertionError(f"{len(self.ledger)} messages are held for ever")


LedgerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
TestLedger = LedgerMachine.TestCase


class PaidLedgerMachine(LedgerMachine):
    paid_batch = 3


PaidLedgerMachine.TestCase.settings = LedgerMachine.TestCase.settings
TestLedgerWhereRequestsArePaidFor = PaidLedgerMachine.TestCase
