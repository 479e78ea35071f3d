from __future__ import annotations

import os

import pytest

from cloudq.worker.progress import Progress, make_file


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
