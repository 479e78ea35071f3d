"""The brokers whose time a test can move, driven at random against a model of a few lines."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloudq.brokers import memory, sqlite
from cloudq.brokers.base import Broker
from cloudq.brokers.redis import RedisBroker
from cloudq.clock import FakeClock
from cloudq.delivery import Lost, Outgoing, Reason, Release, Sent, Settled
from cloudq.errors import BrokerError, BrokerUnavailableError
from cloudq.queues import Queue, dead_letter_name
from cloudq.redis import Failures, Server, locate
from tests.redis_server import redis_url

TOPIC = "t.fifo"
QUEUES = [Queue("q", topics=[TOPIC]), Queue("q.fifo", topics=[TOPIC])]
NAMES = [name for queue in QUEUES for name in (queue.name, queue.dead_letter)]
REMEMBERED = 300

names = st.sampled_from(NAMES)
# Far apart, so that what falls due together does so in both, whatever floats are added, and however long a
# server, whose own time passes meanwhile, takes over it.
UNIT = 20
durations = st.integers(1, 12).map(lambda count: count * UNIT)
seconds = st.just(0) | durations
positions = st.integers(0, 10_000)


@dataclass
class Entry:
    """What the model knows of one message."""

    order: int
    group: str
    body: bytes
    due_at: int
    receipt: str = ""
    receive_count: int = 0
    is_dead: bool = False


Connect = Callable[[FakeClock], AbstractContextManager[Broker]]


class BrokerMachine(RuleBasedStateMachine):
    def __init__(self, connect: Connect):
        super().__init__()
        self.clock = FakeClock()
        self.ending = ExitStack()
        self.broker = self.ending.enter_context(connect(self.clock))
        for queue in QUEUES:
            self.broker.declare(queue)
        self.now = 0
        self.sent_count = 0
        self.queues = {name: [] for name in NAMES}
        self.seen = {}
        self.deliveries = []

    def teardown(self):
        self.ending.close()

    def heads(self, name):
        """What may be received once due: of a FIFO queue the first of each group."""
        if not name.endswith(".fifo"):
            return self.queues[name]
        firsts = {}
        for entry in sorted(self.queues[name], key=lambda entry: entry.order):
            firsts.setdefault(entry.group, entry)
        return list(firsts.values())

    def holder(self, delivery):
        """The entry that a delivery still holds."""
        for entry in self.queues[delivery.queue]:
            if entry.receipt == delivery.receipt and entry.due_at > self.now:
                return entry
        return None

    def add(self, name, group, body, due_at, **rest):
        self.sent_count += 1
        self.queues[name].append(Entry(self.sent_count, group, body, due_at, **rest))

    @rule(name=names, delay=seconds, group=st.sampled_from("ab"), key=st.sampled_from([None, "x", "y"]))
    def send(self, name, delay, group, key):
        message_id = f"m{self.sent_count}"
        message = Outgoing(message_id, message_id.encode(), delay, group, key)

        assert self.broker.send(name, [message]) == [Sent()]

        self.arrive(name, message)

    def arrive(self, name, message):
        if name.endswith(".fifo"):
            known = (name, message.deduplication_id or message.id)
            if self.seen.get(known, 0) > self.now:
                return
            self.seen[known] = self.now + REMEMBERED
        self.add(name, message.group, message.body, self.now + message.delay)

    @rule(delay=seconds, group=st.sampled_from("ab"), key=st.sampled_from([None, "x", "y"]))
    def publish(self, delay, group, key):
        message_id = f"m{self.sent_count}"
        message = Outgoing(message_id, message_id.encode(), delay, group, key)

        assert self.broker.publish(TOPIC, [message]) == [Sent()]

        for queue in QUEUES:
            self.arrive(queue.name, message)

    @rule(name=names, limit=st.integers(1, 4), lease=durations)
    def receive(self, name, limit, lease):
        due = [entry for entry in self.heads(name) if entry.due_at <= self.now]

        found = self.broker.receive([name], limit=limit, lease=lease, wait=0)

        assert len(found) == min(limit, len(due))
        by_body = {entry.body: entry for entry in due}
        taken = [by_body.pop(delivery.body) for delivery in found]
        latest = max((entry.due_at for entry in taken), default=0)
        assert all(entry.due_at >= latest for entry in by_body.values())  # who waited longest goes first
        for delivery, entry in zip(found, taken, strict=True):
            entry.receive_count += 1
            entry.due_at = self.now + lease
            entry.receipt = delivery.receipt
            assert delivery.receive_count == entry.receive_count
            assert (delivery.reason is not None) == entry.is_dead
        self.deliveries += found

    @precondition(lambda self: self.deliveries)
    @rule(position=positions)
    def ack(self, position):
        delivery, entry = self.pick(position)

        assert self.broker.ack([delivery]) == [Settled() if entry else Lost()]

        if entry:
            self.queues[delivery.queue].remove(entry)

    @precondition(lambda self: self.deliveries)
    @rule(position=positions, lease=seconds)
    def extend(self, position, lease):
        delivery, entry = self.pick(position)

        assert self.broker.extend([(delivery, lease)]) == [Settled() if entry else Lost()]

        if entry:
            entry.due_at = self.now + lease

    @precondition(lambda self: self.deliveries)
    @rule(position=positions, delay=seconds, is_counted=st.booleans())
    def release(self, position, delay, is_counted):
        delivery, entry = self.pick(position)

        answers = self.broker.release([Release(delivery, delay, is_counted=is_counted)])

        assert answers == [Settled() if entry else Lost()]
        if entry:
            entry.due_at, entry.receipt = self.now + delay, ""
            entry.receive_count -= not is_counted

    @precondition(lambda self: any("dead" not in delivery.queue for delivery in self.deliveries))
    @rule(position=positions)
    def dead_letter(self, position):
        delivery, entry = self.pick(position, [one for one in self.deliveries if "dead" not in one.queue])

        answers = self.broker.dead_letter([(delivery, Reason("failed", "It failed."))])

        assert answers == [Settled() if entry else Lost()]
        if entry:
            self.queues[delivery.queue].remove(entry)
            self.add(dead_letter_name(delivery.queue), entry.group, entry.body, self.now, is_dead=True)

    @rule(by=durations | st.just(REMEMBERED))
    def pass_time(self, by):
        self.now += by
        self.clock.advance(by)

    @rule(name=names)
    def purge(self, name):
        self.broker.purge(name)

        self.queues[name].clear()
        self.seen = {known: until for known, until in self.seen.items() if known[0] != name}

    def pick(self, position, among=None):
        among = among or self.deliveries
        delivery = among[-1 - position % len(among)]
        return delivery, self.holder(delivery)

    @invariant()
    def counts_agree(self):
        for name, entries in self.queues.items():
            stats = self.broker.stats(name)
            ahead = [entry for entry in entries if entry.due_at > self.now]
            assert stats.ready == len(entries) - len(ahead)
            assert stats.leased == sum(bool(entry.receipt) for entry in ahead)
            assert stats.delayed == sum(not entry.receipt for entry in ahead)
            assert stats.dead == len(self.queues.get(dead_letter_name(name), []))


@contextmanager
def on_memory(clock):
    with closing(memory.connect("memory://", clock=clock)) as broker:
        yield broker


@contextmanager
def on_sqlite(clock):
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{directory}/q.db?synchronous=normal"
        with closing(sqlite.connect(url, clock=clock)) as broker:
            yield broker


@contextmanager
def on_redis(clock):
    failures = Failures(unavailable=BrokerUnavailableError, broken=BrokerError)
    with redis_url() as url:
        server = Server(locate(url), failures)
        with closing(RedisBroker(server, clock, ahead=clock.monotonic)) as broker:
            yield broker


@pytest.mark.parametrize(
    ("connect", "examples", "steps"), [(on_memory, 150, 40), (on_sqlite, 50, 30), (on_redis, 50, 30)]
)
def test_a_broker_is_as_its_model(connect, examples, steps):
    run_state_machine_as_test(
        lambda: BrokerMachine(connect), settings=settings(max_examples=examples, stateful_step_count=steps)
    )
