"""Which requests are made again, and when: held equal to botocore's own standard mode."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.retries import standard
from botocore.retries.quota import RetryQuota
from hypothesis import given
from hypothesis import strategies as st

from cloudq.brokers.sqs.lean.retries import (
    ATTEMPTS,
    CAPACITY,
    Failure,
    Quota,
    delay_before,
    is_retryable,
    is_throttling,
)

CODES = [
    *standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
    *standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES,
    "AccessDenied", "OverLimit", "QueueDoesNotExist", "InternalError", "ExpiredToken", "",
]  # fmt: skip
failures = st.one_of(
    st.just(Failure()),
    st.builds(
        Failure,
        st.sampled_from(CODES),
        st.sampled_from([400, 403, 404, 413, 429, 500, 501, 502, 503, 504, 505]),
        st.none() | st.integers(0, 30).map(float),
    ),
)
adapter = standard.RetryEventAdapter()
detector = standard.ThrottlingErrorDetector(adapter)
conditions = standard.StandardRetryConditions(ATTEMPTS)


def told(failure, attempt=1):
    """The failure as botocore is told of it."""
    response = parsed = None
    if failure.status is not None:
        asked = (
            {} if failure.retry_after is None else {"x-amz-retry-after": str(int(failure.retry_after * 1000))}
        )
        response = SimpleNamespace(status_code=failure.status, headers=asked)
        parsed = {"Error": {"Code": failure.code}}
    service = SimpleNamespace(service_name="sqs")
    return standard.RetryContext(
        attempt_number=attempt,
        operation_model=SimpleNamespace(error_shapes=[], service_model=service),
        http_response=response,
        parsed_response=parsed,
        caught_exception=None if response else ConnectionClosedError(endpoint_url="http://localhost"),
    )


@given(failures)
def test_what_is_tried_again_is_what_botocore_tries_again(failure):
    assert is_retryable(failure) == conditions.is_retryable(told(failure))


@given(failures)
def test_what_is_throttling_is_what_botocore_takes_for_it(failure):
    assert is_throttling(failure) == detector.is_throttling_error_from_context(told(failure))


@given(failures, st.integers(1, 12), st.floats(0, 1))
def test_the_pause_is_botocores(failure, attempt, drawn):
    theirs = standard.ExponentialBackoff(
        random=lambda: drawn, service_name="sqs", throttling_detector=detector
    )

    assert delay_before(failure, attempt, lambda: drawn) == pytest.approx(
        theirs.delay_amount(told(failure, attempt))
    )


@given(st.lists(st.tuples(failures, st.booleans()), max_size=150))
def test_as_much_is_tried_again_in_all_as_by_botocore(calls):
    ours, theirs = Quota(), standard.RetryQuotaChecker(RetryQuota(), detector)

    for failure, succeeds in calls:
        context = told(failure)
        price = ours.take(failure)
        assert bool(price) == theirs.acquire_retry_quota(context)
        if succeeds:
            ours.give_back(price)
            theirs.release_retry_quota(context.request_context, SimpleNamespace(status_code=200))


def test_a_quota_that_is_spent_is_earned_back_by_successes():
    quota, failure = Quota(), Failure("InternalError", 500)
    while quota.take(failure):
        pass

    for _ in range(CAPACITY):
        quota.give_back(0)

    assert quota.take(failure)
