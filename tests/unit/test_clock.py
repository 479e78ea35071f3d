from __future__ import annotations

from threading import Condition

import pytest

from cloudq.clock import FakeClock, SystemClock
from cloudq.testing.steps import PATIENCE, in_thread, until


@pytest.fixture
def clock():
    return FakeClock()


def test_a_fake_clock_stands_still_until_it_is_moved(clock):
    before = clock.now(), clock.monotonic()
    clock.advance(90)

    assert (clock.now() - before[0], clock.monotonic() - before[1]) == (90, 90)


def test_advancing_wakes_who_waits_until_then(clock):
    condition = Condition()

    def wait():
        with condition:
            while clock.monotonic() < 10:
                clock.wait(condition, 10)

    waiting = in_thread(wait)
    clock.advance(5)
    clock.advance(5)

    waiting.result(PATIENCE)


def test_a_wait_until_a_time_that_has_come_returns_at_once(clock):
    condition = Condition()
    clock.advance(10)

    with condition:
        clock.wait(condition, 10)


def test_a_notification_wakes_who_waits_on_a_fake_clock(clock):
    condition = Condition()
    state = []

    def wait():
        with condition:
            while not state:
                clock.wait(condition, None)

    waiting = in_thread(wait)
    with condition:
        state.append("here")
        condition.notify_all()

    waiting.result(PATIENCE)


def test_a_sleep_on_a_fake_clock_ends_when_its_time_has_passed(clock):
    sleeping = in_thread(lambda: clock.sleep(60))

    def is_awake():
        clock.advance(30)
        return sleeping.done()

    until(is_awake, "end of the sleep")


def test_the_machine_clock_goes_forward_and_waits():
    clock = SystemClock()
    condition = Condition()
    began = clock.monotonic()

    with condition:
        clock.wait(condition, began + 0.01)
        clock.wait(condition, began - 1)
    clock.sleep(0.001)

    assert clock.monotonic() > began
    assert clock.now() > 1_700_000_000
