from __future__ import annotations

import socket

import pytest

from cloudq.testing.steps import PATIENCE, in_thread, until
from cloudq.worker.frames import pack
from cloudq.worker.inbox import Inbox


@pytest.fixture
def ends():
    pair = socket.socketpair()
    yield pair
    for end in pair:
        end.close()


@pytest.fixture
def given_back():
    return []


@pytest.fixture
def inbox(ends, given_back):
    return Inbox(ends[1], given_back.extend)


def job(tag):
    return (tag, "q", b"{}", 1, 10)


def run(*tags):
    return pack("run", True, [job(tag) for tag in tags])


def test_jobs_come_in_the_order_in_which_they_were_given(ends, inbox):
    ends[0].sendall(run(1, 2) + run(3))

    assert [inbox.take() for _ in range(3)] == [job(1), job(2), job(3)]


def test_what_came_before_a_stop_is_taken_and_then_nothing(ends, inbox):
    ends[0].sendall(run(1) + pack("stop"))

    assert [inbox.take() for _ in range(3)] == [job(1), None, None]


def test_a_supervisor_that_is_gone_has_no_more_jobs(ends, inbox):
    taken = in_thread(inbox.take)

    ends[0].close()

    assert taken.result(PATIENCE) is None


def test_each_of_several_that_wait_gets_a_job_of_its_own(ends, inbox):
    taken = [in_thread(inbox.take) for _ in range(3)]

    ends[0].sendall(run(1) + run(2, 3))

    assert sorted(one.result(PATIENCE) for one in taken) == [job(1), job(2), job(3)]


def test_what_was_read_and_what_was_not_is_called_back(ends, inbox, given_back):
    ends[0].sendall(run(1, 2))
    assert inbox.take() == job(1)
    ends[0].sendall(run(3))

    inbox.call_back()

    assert sorted(given_back) == [2, 3]


def test_what_comes_after_all_was_called_back_is_given_back_too(ends, inbox, given_back):
    taken = in_thread(inbox.take)

    inbox.call_back()
    ends[0].sendall(run(1, 2) + pack("stop"))

    assert taken.result(PATIENCE) is None
    until(lambda: given_back == [1, 2], "jobs given back")


def test_what_comes_after_the_supervisor_went_on_is_run(ends, inbox, given_back):
    ends[0].sendall(run(1))
    inbox.call_back()
    ends[0].sendall(run(2) + pack("go on") + run(3))

    assert inbox.take() == job(3)
    assert sorted(given_back) == [1, 2]


def test_a_call_back_that_is_heard_after_the_supervisor_went_on_takes_nothing_more(ends, inbox, given_back):
    ends[0].sendall(run(1) + pack("go on") + run(2, 3))
    assert inbox.take() == job(2)

    inbox.call_back()

    assert inbox.take() == job(3)
    assert given_back == [1]


def test_who_does_not_wait_gets_what_has_come_and_else_nothing(ends, inbox):
    assert inbox.take_ready() is None

    ends[0].sendall(run(1, 2))

    assert [inbox.take_ready() for _ in range(3)] == [job(1), job(2), None]


def test_who_does_not_wait_leaves_the_next_job_to_who_does(ends, inbox):
    waiting = in_thread(inbox.take)
    until(inbox._reading.locked, "a waiting reader")

    assert inbox.take_ready() is None
    ends[0].sendall(run(1))

    assert waiting.result(PATIENCE) == job(1)


def test_who_does_not_wait_gets_nothing_that_was_called_back(ends, inbox, given_back):
    inbox.call_back()
    ends[0].sendall(run(1))

    assert inbox.take_ready() is None
    assert given_back == [1]


def test_who_does_not_wait_gets_nothing_after_a_stop(ends, inbox):
    ends[0].sendall(pack("stop"))

    assert inbox.take_ready() is None
    assert inbox.take() is None
