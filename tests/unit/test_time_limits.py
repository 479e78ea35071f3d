"""Runs that have outlived their hard limit are found on time, by few looks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloudq.worker.time_limits import Limited, TimeLimits


def test_a_run_past_its_time_limit_is_named():
    limits = TimeLimits([5.0])
    run = Limited(1, kill_at=15.0, seconds=5.0)

    assert limits.over([run], 14.9) == []
    assert limits.over([run], 15.0) == [run]


def test_the_next_look_is_due_when_the_first_run_is_over():
    limits = TimeLimits([0.5, 5.0])

    limits.over([Limited(1, 10.3, 5.0), Limited(2, 10.1, 5.0)], 10.0)

    assert limits.next_at == 10.1


def test_what_begins_after_a_look_is_not_over_before_the_next():
    limits = TimeLimits([0.5, 5.0])

    limits.over([], 10.0)

    assert limits.next_at == 10.5


def test_a_limit_that_is_not_known_is_looked_for_every_second():
    limits = TimeLimits([])

    limits.over([], 10.0)

    assert limits.next_at == 11.0


@given(
    known=st.lists(st.floats(0.01, 2.0), min_size=1, max_size=3),
    begun=st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(0, 2)), max_size=8),
)
def test_each_run_is_found_at_the_moment_when_its_time_is_over(
    known: list[float], begun: list[tuple[float, int]]
):
    limits, now = TimeLimits(known), 0.0
    left: dict[Limited, float] = {}
    for tag, (at, which) in enumerate(begun):
        seconds = known[which % len(known)]
        left[Limited(tag, at + seconds, seconds)] = at

    while left:
        over = limits.over([run for run, at in left.items() if at <= now], now)
        assert all(run.kill_at == now for run in over)
        for run in over:
            del left[run]
        now = limits.next_at
