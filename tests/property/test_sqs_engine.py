"""The SQS engine against a model of a few lines, over thousands of interleavings in plain numbers of time."""

from __future__ import annotations

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from cloudq_emulator.sqs.engine.message import Message
from cloudq_emulator.sqs.engine.registry import Registry
from cloudq_emulator.sqs.errors import SqsError

MAX_RECEIVES = 3
RETENTION = 100_000
ACCOUNT, REGION = "000000000000", "eu-west-1"


class QueueMachine(RuleBasedStateMachine):
    """One queue with a dead-letter queue; the model knows until when each message is hidden, and no more."""

    receipts = Bundle("receipts")
    fifo = False

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        suffix = ".fifo" if self.fifo else ""
        kind = {"FifoQueue": "true"} if self.fifo else {}
        registry = Registry()
        self.dead, _ = registry.create(ACCOUNT, REGION, f"dead{suffix}", kind, self.now)
        policy = {"deadLetterTargetArn": self.dead.arn, "maxReceiveCount": MAX_RECEIVES}
        attributes = {**kind, "RedrivePolicy": policy, "MessageRetentionPeriod": RETENTION}
        self.queue, _ = registry.create(ACCOUNT, REGION, f"work{suffix}", attributes, self.now)
        self.sent_count = 0
        self.hidden_until: dict[str, float] = {}  # of every message that is still in the queue
        self.delayed: set[str] = set()
        self.receives: dict[str, int] = {}
        self.latest: dict[str, str] = {}
        self.group_of: dict[str, str] = {}
        self.number_of: dict[str, int] = {}
        self.dead_ids: set[str] = set()

    @rule(delay=strategies.sampled_from([0, 0, 5, 60]), group=strategies.sampled_from("ab"))
    def send(self, delay, group):
        self.sent_count += 1
        body = str(self.sent_count)
        message = Message(body, "", ACCOUNT, self.now, group=group, deduplication=body)
        message.delay = 0 if self.fifo else delay
        self.queue.send(message, self.now)
        self.hidden_until[message.id] = self.now + message.delay
        self.receives[message.id] = 0
        self.group_of[message.id] = group
        self.number_of[message.id] = message.number
        if message.delay:
            self.delayed.add(message.id)

    @rule(target=receipts, limit=strategies.integers(1, 10), lease=strategies.sampled_from([0, 1, 10, 600]))
    def receive(self, limit, lease):
        due = {id_ for id_ in self.hidden_until if self.is_due(id_) and not self.is_behind_another(id_)}
        got = self.queue.receive(limit, lease, self.now)
        ids = [message.id for message, _ in got]

        assert len(set(ids)) == len(ids)
        assert set(ids) <= due, "handed out within another's lease, or after its delete"
        worn_out = {id_ for id_ in due if self.receives[id_] >= MAX_RECEIVES}
        assert not worn_out & set(ids)
        self.move_dead(worn_out)
        assert len(ids) == min(limit, len(due - worn_out)), "a message that was due was withheld"
        if self.fifo:
            self.assert_in_order(got)
        for message, handle in got:
            self.receives[message.id] += 1
            assert message.received_here == self.receives[message.id]
            self.hidden_until[message.id] = self.now + lease
            self.delayed.discard(message.id)
            self.latest[message.id] = handle
        return multiple(*((message.id, handle) for message, handle in got))

    @rule(receipt=consumes(receipts))
    def delete(self, receipt):
        id_, handle = receipt
        is_over = id_ in self.hidden_until and (self.latest[id_] != handle or self.is_due(id_))
        if self.fifo and is_over:
            with pytest.raises(SqsError):
                self.queue.delete(handle, self.now)
            return
        self.queue.delete(handle, self.now)
        self.hidden_until.pop(id_, None)

    @rule(receipt=receipts, seconds=strategies.sampled_from([0, 1, 30]))
    def change_lease(self, receipt, seconds):
        id_, handle = receipt
        is_over = id_ in self.hidden_until and (self.latest[id_] != handle or self.is_due(id_))
        if id_ not in self.hidden_until or (self.fifo and is_over):
            with pytest.raises(SqsError):
                self.queue.change_lease(handle, seconds, self.now)
        else:
            self.queue.change_lease(handle, seconds, self.now)
            self.hidden_until[id_] = self.now + seconds if seconds else min(self.now, self.hidden_until[id_])

    @rule(seconds=strategies.sampled_from([0.5, 1, 9, 60, 600]))
    def advance(self, seconds):
        self.now += seconds

    @rule()
    def outlive_retention(self):
        self.now += RETENTION + 1
        self.queue.advance(self.now)
        self.hidden_until.clear()

    @invariant()
    def counts_are_right(self):
        self.queue.advance(self.now)
        due = {id_ for id_ in self.hidden_until if self.is_due(id_)}
        delayed = {id_ for id_ in self.hidden_until if id_ in self.delayed and id_ not in due}
        in_dead = {message.id for message in self.dead}
        assert in_dead <= {id_ for id_, count in self.receives.items() if count == MAX_RECEIVES}
        self.move_dead(in_dead & set(self.hidden_until))
        due &= set(self.hidden_until)
        assert self.queue.ready_count == len(due)
        assert self.queue.delayed_count == len(delayed)
        assert self.queue.leased_count == len(self.hidden_until) - len(due) - len(delayed)
        assert {message.id for message in self.queue} == set(self.hidden_until), (
            "lost, or came back from the dead"
        )

    def is_due(self, id_):
        return self.hidden_until[id_] <= self.now

    def is_behind_another(self, id_):
        """On a FIFO queue: whether a message that was sent to the group before it is hidden."""
        before = (
            other
            for other in self.hidden_until
            if self.group_of[other] == self.group_of[id_] and self.number_of[other] < self.number_of[id_]
        )
        return self.fifo and not all(map(self.is_due, before))

    def move_dead(self, ids):
        for message in self.dead:
            if message.id in ids:
                assert message.dead_letter_source == self.queue.arn
                self.hidden_until.pop(message.id, None)

    def assert_in_order(self, got):
        for group in "ab":
            taken = [message.number for message, _ in got if message.group == group]
            in_queue = sorted(message.number for message in self.queue if message.group == group)
            assert taken == in_queue[: len(taken)]


class FifoMachine(QueueMachine):
    fifo = True


QueueMachine.TestCase.settings = FifoMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None
)
TestStandardQueue = QueueMachine.TestCase
TestFifoQueue = FifoMachine.TestCase
