"""Whether and when a failed attempt is tried again: pure, the same in every consumer."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cloudq.errors import ConfigurationError

__all__ = ["Backoff", "GiveUp", "RetryAfter", "RetryPolicy", "exponential"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before an attempt is repeated: `base · factor**(failures - 1)`, at most `max`.

    Args:
        base: Seconds before the second attempt.
        max: The longest wait, in seconds.
        factor: By how much each wait exceeds the last.
        jitter: Whether to draw each wait evenly between half of it and all of it, so that what failed
            together doesn't return together.
    """

    base: float = 2.0
    max: float = 600.0
    factor: float = 2.0
    jitter: bool = True

    def __post_init__(self) -> None:
        if not (self.base >= 0 and self.max >= 0 and self.factor >= 1):  # so that NaN is refused, too
            raise ConfigurationError(f"{self}: base and max are seconds from 0, factor is 1 or more.")

    def delay(self, failures: int, *, chance: Callable[[], float] = random.random) -> float:
        """Seconds to wait after the `failures`-th failure (from 1)."""
        try:
            wait = min(self.max, self.base * self.factor ** (failures - 1))
        except OverflowError:
            wait = self.max if self.base else 0.0
        return wait * (0.5 + chance() / 2) if self.jitter else wait


def exponential(
    base: float | timedelta = 2.0,
    max: float | timedelta = 600.0,
    *,
    factor: float = 2.0,
    jitter: bool = True,
) -> Backoff:
    """A wait that grows with each failure; see `Backoff`."""
    return Backoff(_seconds(base), _seconds(max), factor, jitter)


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Try again."""

    delay: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Don't."""

    why: str


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A task's answer to its own failures.

    Args:
        retries: Failures after which it is tried again; 3 makes four attempts in all.
        backoff: How long to wait between them.
        retry_on: What it is worth trying again after.
        give_up_on: What it isn't, though `retry_on` has it.
    """

    retries: int = 3
    backoff: Backoff = Backoff()
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    give_up_on: tuple[type[BaseException], ...] = ()

    def __post_init__(self) -> None:
        if type(self.retries) is not int or self.retries < 0:
            raise ConfigurationError(f"retries={self.retries!r}: a count from 0 is expected.")

    def override(self, options: Mapping[str, Any] | None) -> RetryPolicy:
        """This policy with what one call says of its own: another number of `retries`."""
        return replace(self, retries=options["retries"]) if options and "retries" in options else self

    def decide(self, failures: int, error: BaseException) -> RetryAfter | GiveUp:
        """What to do after an attempt ended with `error`.

        Args:
            failures: Attempts that have failed by now, this one included.
            error: What it raised.
        """
        name = type(error).__name__
        if isinstance(error, self.give_up_on) or not isinstance(error, self.retry_on):
            return GiveUp(f"{name} is not worth a retry")
        return self.after(failures, None)

    def after(self, failures: int, countdown: float | None) -> RetryAfter | GiveUp:
        """What to do after a failure that may be retried.

        Args:
            failures: Attempts that have failed by now, this one included.
            countdown: Seconds to wait; None takes the backoff.
        """
        if failures > self.retries:
            return GiveUp(f"attempt {failures} of {self.retries + 1}")
        return RetryAfter(self.backoff.delay(failures) if countdown is None else max(0.0, countdown))


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else float(value)
