from __future__ import annotations

import os

import pytest

from cloudq.worker.progress import Progress, make_file
from cloudq.worker.time_limits import Limited


@pytest.fixture
def descriptor():
    made = make_file(3)
    yield made
    os.close(made)


def test_what_one_side_writes_the_other_reads(descriptor: int):
    child, supervisor = Progress(descriptor), Progress(descriptor)

    child.begin(0, 7)
    child.begin(2, 2**40)

    assert supervisor.slots == 3
    assert supervisor.running() == [7, 2**40]


def test_what_has_ended_runs_no_longer(descriptor: int):
    child, supervisor = Progress(descriptor), Progress(descriptor)
    child.begin(1, 7)

    child.end(1)

    assert supervisor.running() == []


def test_it_outlives_whoever_wrote_it(descriptor: int):
    supervisor = Progress(descriptor)
    pid = os.fork()
    if pid == 0:
        Progress(descriptor).begin(1, 9)
        os._exit(0)

    os.waitpid(pid, 0)

    assert supervisor.running() == [9]


def test_time_limits_are_those_of_what_runs_now(descriptor: int):
    child, supervisor = Progress(descriptor), Progress(descriptor)
    child.begin(0, 7)
    child.limit(0, 100.0, 30.0)
    child.begin(2, 8)

    first = supervisor.limited()
    child.end(0)
    child.begin(0, 9)

    assert first == [Limited(7, kill_at=100.0, seconds=30.0)]
    assert supervisor.limited() == []


def test_each_slot_has_a_limit_of_its_own(descriptor: int):
    child = Progress(descriptor)
    for slot in range(3):
        child.begin(slot, slot + 1)
        child.limit(slot, 10.0 * slot, slot + 0.5)

    assert child.limited() == [Limited(1, 0.0, 0.5), Limited(2, 10.0, 1.5), Limited(3, 20.0, 2.5)]
