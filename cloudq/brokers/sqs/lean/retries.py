"""What is tried again, when, and how often in all: the rules of botocore's standard mode.

Source: AWS SDKs and Tools Reference Guide, "Retry behavior", and botocore 1.44, read 2026-11. A test compares
every decision with botocore's.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ATTEMPTS", "Failure", "Quota", "delay_before", "is_retryable", "is_throttling"]

ATTEMPTS = 3
"""Of one call in all."""
CAPACITY = 500
"""Of what tries again, for the whole process: when SQS fails for everybody, few calls are made twice."""
COST, THROTTLING_COST, EARNED = 14, 5, 1
LONGEST_PAUSE = 20.0
BASE, THROTTLING_BASE = 0.05, 1.0
LONGEST_ADDITION = 5.0
"""Seconds that `x-amz-retry-after` can add to a pause."""

_TRANSIENT_STATUSES = {500, 502, 503, 504}
_THROTTLING_STATUS = 429
_TRANSIENT_CODES = {"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"}
_THROTTLING_CODES = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
    "TooManyRequestsException", "ProvisionedThroughputExceededException", "TransactionInProgressException",
    "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "RequestThrottled",
    "SlowDown", "PriorRequestNotComplete", "EC2ThrottledException",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """One request that didn't succeed.

    Args:
        code: SQS's error code; empty where nobody answered.
        status: The HTTP status; None where nobody answered.
        retry_after: Seconds that SQS asked to be left alone; None where it didn't.
    """

    code: str = ""
    status: int | None = None
    retry_after: float | None = None


def is_throttling(failure: Failure) -> bool:
    """Whether SQS asks for fewer requests."""
    return failure.code in _THROTTLING_CODES or failure.status == _THROTTLING_STATUS


def is_retryable(failure: Failure) -> bool:
    """Whether the same request may succeed."""
    return (
        failure.status is None
        or failure.status in _TRANSIENT_STATUSES
        or failure.code in _TRANSIENT_CODES
        or is_throttling(failure)
    )


def delay_before(failure: Failure, attempt: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds before the next attempt.

    Args:
        failure: What the last one came to.
        attempt: Its number, from 1.
        draw: A number from 0 to 1.
    """
    base = THROTTLING_BASE if is_throttling(failure) else BASE
    pause = draw() * min(base * 2 ** (attempt - 1), LONGEST_PAUSE)
    if failure.retry_after is None:
        return pause
    return max(pause, min(failure.retry_after, pause + LONGEST_ADDITION))


class Quota:
    """What a process may still try again; what succeeds earns it back. Thread-safe."""

    def __init__(self) -> None:
        self._left = CAPACITY
        self._lock = threading.Lock()

    def take(self, failure: Failure) -> int:
        """Pay for one more attempt; the price, 0 where it can't be paid."""
        price = THROTTLING_COST if is_throttling(failure) else COST
        with self._lock:
            if price > self._left:
                return 0
            self._left -= price
            return price

    def give_back(self, price: int) -> None:
        """A call succeeded, for whose last attempt this was paid."""
        if self._left < CAPACITY:
            with self._lock:
                self._left = min(CAPACITY, self._left + (price or EARNED))
