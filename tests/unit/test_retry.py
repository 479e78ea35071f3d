from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudq.errors import ConfigurationError
from cloudq.retry import Backoff, GiveUp, RetryAfter, RetryPolicy, exponential

seconds = st.floats(0, 1e9)


def test_waits_double_until_the_longest():
    backoff = Backoff(base=2, max=60, jitter=False)

    assert [backoff.delay(failures) for failures in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


def test_jitter_draws_between_half_and_all_of_a_wait():
    backoff = Backoff(base=8, max=60)

    assert backoff.delay(1, chance=lambda: 0.0) == 4
    assert backoff.delay(1, chance=lambda: 0.5) == 6
    assert backoff.delay(1, chance=lambda: 1.0) == 8


@given(seconds, seconds, st.floats(1, 1e300), st.integers(1, 10**9), st.floats(0, 1))
def test_a_wait_is_never_longer_than_the_longest_nor_negative(base, longest, factor, failures, chance):
    assert 0 <= Backoff(base, longest, factor).delay(failures, chance=lambda: chance) <= longest


@given(seconds, seconds, st.floats(1, 100), st.integers(1, 2000))
def test_waits_never_shrink(base, longest, factor, failures):
    backoff = Backoff(base, longest, factor, jitter=False)

    assert backoff.delay(failures) <= backoff.delay(failures + 1)


def test_a_backoff_is_given_in_seconds_or_as_timedelta():
    assert exponential(timedelta(seconds=1), timedelta(minutes=1)) == exponential(1, 60)
    assert exponential(base=3, factor=4, jitter=False) == Backoff(3.0, 600.0, 4, jitter=False)


@pytest.mark.parametrize(
    "wrong", [{"base": -1}, {"max": -1}, {"factor": 0.5}, {"base": float("nan")}], ids=str
)
def test_a_backoff_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="seconds from 0"):
        Backoff(**wrong)


def test_a_negative_number_of_retries_is_refused():
    with pytest.raises(ConfigurationError, match="retries=-1"):
        RetryPolicy(retries=-1)


def test_a_failure_is_retried_until_the_retries_are_used_up():
    policy = RetryPolicy(retries=2, backoff=Backoff(base=1, jitter=False))

    decisions = [policy.decide(failures, ValueError()) for failures in (1, 2, 3)]

    assert decisions == [RetryAfter(1), RetryAfter(2), GiveUp("attempt 3 of 3")]


def test_without_retries_the_first_failure_is_the_last():
    assert isinstance(RetryPolicy(retries=0).decide(1, ValueError()), GiveUp)


def test_only_what_retry_on_names_is_retried():
    policy = RetryPolicy(retry_on=(OSError,))

    assert isinstance(policy.decide(1, ConnectionResetError()), RetryAfter)
    assert policy.decide(1, ValueError()) == GiveUp("ValueError is not worth a retry")


def test_what_give_up_on_names_is_not_retried_even_if_retry_on_has_it():
    policy = RetryPolicy(retry_on=(OSError,), give_up_on=(FileNotFoundError,))

    assert isinstance(policy.decide(1, FileNotFoundError()), GiveUp)
    assert isinstance(policy.decide(1, TimeoutError()), RetryAfter)


def test_an_interrupt_is_not_retried_by_default():
    assert isinstance(RetryPolicy().decide(1, KeyboardInterrupt()), GiveUp)


def test_a_countdown_takes_the_place_of_the_backoff():
    policy = RetryPolicy(retries=1)

    assert policy.after(1, 60) == RetryAfter(60)
    assert policy.after(1, -5) == RetryAfter(0)
    assert isinstance(policy.after(2, 60), GiveUp)
