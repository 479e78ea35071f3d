from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudq.brokers.sqs.commit import MAX_BATCHES, GroupCommit
from cloudq.brokers.sqs.entries import Entry
from cloudq.brokers.sqs.transport import AnswerLostError
from cloudq.errors import BrokerError

PATIENCE = 10.0


def entry(number, lane=None):
    return Entry({"number": number}, 1, lane)


class Gate:
    """A request that takes until the test lets it go."""

    def __init__(self, *outcomes):
        self.batches = []
        self.outcomes = list(outcomes)
        self.open = threading.Event()
        self.changed = threading.Condition()

    def send(self, entries):
        numbers = [one.fields["number"] for one in entries]
        with self.changed:
            self.batches.append(numbers)
            outcome = self.outcomes.pop(0) if self.outcomes else None
            self.changed.notify_all()
        assert self.open.wait(PATIENCE)
        if outcome is not None:
            raise outcome
        return numbers

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.batches) >= count, PATIENCE)


def waiting(commit, count):
    """Wait until so many entries wait behind what is on its way."""
    deadline = threading.Event()
    for _ in range(5000):
        with commit._changed:
            if len(commit._backlog._free) == count:
                return
        deadline.wait(0.002)
    raise AssertionError(f"no {count} entries wait")


def test_a_lone_sender_waits_for_nobody():
    gate = Gate()
    gate.open.set()

    assert GroupCommit(gate.send).submit([entry(1)]) == [1]
    assert gate.batches == [[1]]


def test_senders_that_come_meanwhile_share_the_next_batch():
    gate = Gate()
    commit = GroupCommit(gate.send)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(commit.submit, [entry(0)])
        gate.wait_for(1)
        others = [pool.submit(commit.submit, [entry(number)]) for number in range(1, 8)]
        waiting(commit, 7)

        gate.open.set()

        assert first.result(PATIENCE) == [0]
        assert [one.result(PATIENCE) for one in others] == [[number] for number in range(1, 8)]
    assert [len(batch) for batch in gate.batches] == [1, 7]


def test_full_batches_go_side_by_side_up_to_a_limit():
    gate = Gate()
    commit = GroupCommit(gate.send)
    with ThreadPoolExecutor(MAX_BATCHES + 2) as pool:
        calls = [
            pool.submit(commit.submit, [entry(number) for number in range(10)])
            for _ in range(MAX_BATCHES + 2)
        ]
        gate.wait_for(MAX_BATCHES)
        waiting(commit, 20)

        assert len(gate.batches) == MAX_BATCHES

        gate.open.set()
        assert all(one.result(PATIENCE) == list(range(10)) for one in calls)


def test_each_sender_of_a_batch_that_failed_gets_the_error():
    gate = Gate(None, BrokerError("no"))
    commit = GroupCommit(gate.send)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(commit.submit, [entry(0)])
        gate.wait_for(1)
        others = [pool.submit(commit.submit, [entry(number)]) for number in (1, 2)]
        waiting(commit, 2)

        gate.open.set()

        assert first.result(PATIENCE) == [0]
        for other in others:
            with pytest.raises(BrokerError, match="no"):
                other.result(PATIENCE)
    assert commit.submit([entry(3)]) == [3]


def test_an_interrupted_leader_leaves_nobody_waiting():
    gate = Gate(None, KeyboardInterrupt())
    commit = GroupCommit(gate.send)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(commit.submit, [entry(0)])
        gate.wait_for(1)
        others = [pool.submit(commit.submit, [entry(number)]) for number in (1, 2)]
        waiting(commit, 2)

        gate.open.set()

        assert first.result(PATIENCE) == [0]
        raised = [other.exception(PATIENCE) for other in others]
        (leader,) = [error for error in raised if error is not None]
        assert isinstance(leader, KeyboardInterrupt)
        (follower,) = [other for other in others if other.exception() is None]
        assert isinstance(follower.result()[0], AnswerLostError)
    assert commit.submit([entry(3)]) == [3]


def test_what_had_not_left_when_a_batch_failed_stays_unsent():
    gate = Gate(BrokerError("no"))
    gate.open.set()
    commit = GroupCommit(gate.send)

    with pytest.raises(BrokerError):
        commit.submit([entry(number) for number in range(15)])

    assert gate.batches == [list(range(10))]
    assert commit.submit([entry(99)]) == [99]
    assert gate.batches[1:] == [[99]]
