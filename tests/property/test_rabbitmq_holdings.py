"""The holdings against a model of what the server has on a channel."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloudq.brokers.rabbitmq.frames import DELIVER, Content
from cloudq.brokers.rabbitmq.holdings import Holdings

LONGEST = 50.0


class ChannelAndHoldings(RuleBasedStateMachine):
    """What is acked, given back or still unacked on the server must be what was asked for."""

    def __init__(self):
        super().__init__()
        self.holdings = Holdings(LONGEST)
        self.now = 0.0
        self.last = 0
        self.unacked: dict[int, float] = {}
        self.leases: dict[int, float] = {}
        self.leaving: set[int] = set()
        self.done: set[int] = set()

    @rule(count=st.integers(1, 6))
    def deliver(self, count):
        for _ in range(count):
            self.last += 1
            self.unacked[self.last] = self.now
            self.holdings.arrive(Content(1, DELIVER, self.last, False), self.now)

    @rule(limit=st.integers(0, 6), lease=st.floats(1, 60))
    def take(self, limit, lease):
        for held in self.holdings.take(limit, self.now, lease):
            assert held.tag not in self.leases
            self.leases[held.tag] = min(self.now + lease, self.unacked[held.tag] + LONGEST)

    @rule(seconds=st.floats(0.1, 40))
    def pass_time(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.last)
    @rule(data=st.data(), lease=st.floats(0, 60))
    def extend(self, data, lease):
        tag = data.draw(st.integers(1, self.last))
        is_held = tag in self.leases and self.leases[tag] > self.now

        assert self.holdings.extend(tag, self.now, lease) == is_held

        if is_held:
            self.leases[tag] = min(self.now + lease, self.unacked[tag] + LONGEST)

    @precondition(lambda self: self.last)
    @rule(data=st.data())
    def begin_to_settle(self, data):
        for tag in data.draw(st.sets(st.integers(1, self.last), max_size=5)):
            is_held = tag in self.leases and self.leases[tag] > self.now
            assert (self.holdings.leave(tag, self.now) is not None) == is_held
            if is_held:
                del self.leases[tag]
                self.leaving.add(tag)

    @precondition(lambda self: self.leaving)
    @rule(data=st.data())
    def ack(self, data):
        tags = data.draw(st.sets(st.sampled_from(sorted(self.leaving)), min_size=1))
        gone = set()
        for tag, is_multiple in self.holdings.gone(tags):
            gone |= {one for one in self.unacked if one <= tag} if is_multiple else {tag}
        assert gone == tags, "an ack took what wasn't settled, or left what was"
        self.leaving -= tags
        for tag in tags:
            del self.unacked[tag]

    @precondition(lambda self: self.leaving)
    @rule(data=st.data())
    def fail_to_settle(self, data):
        tags = data.draw(st.sets(st.sampled_from(sorted(self.leaving)), min_size=1))
        self.holdings.stay(tags)
        self.leaving -= tags
        self.leases |= dict.fromkeys(tags, self.now)  # until when is looked up below

        for tag in tags:
            self.leases[tag] = self.holdings._held[tag].until

    @rule()
    def give_back_what_has_ended(self):
        ended = {one.tag for one in self.holdings.expire(self.now)}

        assert ended == {tag for tag, until in self.leases.items() if until <= self.now}
        self.holdings.forget(ended)
        for tag in ended:
            del self.leases[tag], self.unacked[tag]

    @rule(kept=st.integers(0, 3))
    def give_up(self, kept):
        for tag in self.holdings.surplus(kept):
            assert tag not in self.leases
            del self.unacked[tag]

    @invariant()
    def all_that_the_server_waits_for_is_known(self):
        waiting = {one.tag for one in self.holdings.look()}
        assert waiting | set(self.leases) | self.leaving == set(self.unacked)
        assert self.holdings.held_count == len(self.leases) + len(self.leaving)
        assert self.holdings.due_at <= min(self.leases.values(), default=float("inf"))


ChannelAndHoldings.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestHoldings = ChannelAndHoldings.TestCase
