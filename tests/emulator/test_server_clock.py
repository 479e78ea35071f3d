"""The emulator's clock: what moves it, and who wakes when it moves."""

from __future__ import annotations

import asyncio
import threading

import pytest

from cloudq_emulator.clock import MovableClock


@pytest.fixture
def clock():
    clock = MovableClock()
    clock.freeze(frozen=True)
    return clock


def test_a_frozen_clock_stands_and_moves_only_when_told(clock):
    before = clock.now()
    assert clock.now() == before

    clock.advance(60)

    assert clock.now() == before + 60


def test_a_clock_set_back_keeps_counting_forward_for_durations(clock):
    clock.advance(100)
    before = clock.monotonic()

    clock.set(clock.now() - 50)

    assert clock.monotonic() == before
    clock.set(clock.now() + 10)
    assert clock.monotonic() == pytest.approx(before + 10)


def test_a_scaled_clock_says_how_long_it_really_takes():
    clock = MovableClock()
    clock.rescale(60)

    assert clock.real_delay(clock.now() + 120) == pytest.approx(2, abs=0.1)
    assert clock.real_delay(clock.now() - 1) == 0


def test_a_frozen_clock_never_gets_there_by_itself(clock):
    assert clock.real_delay(clock.now() + 1) is None
    assert clock.real_delay(clock.now()) == 0


def test_reset_goes_back_to_real_time(clock):
    clock.rescale(5)
    clock.advance(1_000_000)

    clock.reset()

    assert (clock.frozen, clock.scale) == (False, 1.0)
    assert clock.now() == pytest.approx(MovableClock().now(), abs=5)


def test_whoever_sleeps_on_it_wakes_when_it_is_moved_far_enough(clock):
    async def sleep_an_hour():
        sleeper = asyncio.create_task(clock.asleep(3600))
        await asyncio.sleep(0)
        clock.advance(3599)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not sleeper.done()
        clock.advance(1)
        await asyncio.wait_for(sleeper, 5)

    asyncio.run(sleep_an_hour())


def test_threads_that_wait_on_it_wake_when_it_is_moved(clock):
    condition, woken = threading.Condition(), []

    def wait():
        with condition:
            until = clock.monotonic() + 10
            while clock.monotonic() < until:
                clock.wait(condition, until)
        clock.sleep(0)
        woken.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    while thread.is_alive():
        clock.advance(5)
        thread.join(0.01)

    assert woken == [True]
