"""Ending what has run, off the loop: what must be kept first, in one lane; then the leases, in another.

While a record is being saved the keeper may still extend the lease; only a request that ends it stands in an
extension's way. So a slow result backend costs no lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from cloudq.clock import Clock
from cloudq.delivery import Answer, Delivery, Execution, Unknown
from cloudq.errors import CloudqError
from cloudq.settling import Settler
from cloudq.worker.lane import Lane
from cloudq.worker.ledger import Holding, Ledger

__all__ = ["Settling"]

LONGEST_PAUSE = 1.0
"""Seconds between two tries while nothing at all can be kept or settled."""

T = TypeVar("T")
_Items = list[tuple[Delivery, Execution]]

logger = logging.getLogger(__name__)


class Settling:
    """Keeps and settles what a ledger says is due.

    Args:
        settler: How.
        ledger: What is held.
        clock: Time.
        interject: Makes a call with the loop's turn.
    """

    def __init__(
        self, settler: Settler, ledger: Ledger, clock: Clock, interject: Callable[[Callable[[], None]], Any]
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self._keep_pause, self._end_pause = _Pause(), _Pause()
        self._keeping: Lane[list[Holding], list[Execution | Unknown]] = Lane(
            "keep-results", lambda due: _each(settler.keep, _items(due)), self._kept, interject
        )
        self._settling: Lane[list[Holding], list[Answer]] = Lane(
            "settle", lambda due: _each(settler.end, _items(due)), self._settled, interject
        )

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._settling.is_busy or self._keeping.is_busy

    @property
    def is_failing(self) -> bool:
        """Whether nothing could be kept or settled the last time."""
        return self._keep_pause.is_on or self._end_pause.is_on

    def act(self, now: float) -> None:
        """Start what is due."""
        if (
            not self._keeping.is_busy
            and now >= self._keep_pause.until
            and (due := self._ledger.due_records(now))
        ):
            self._keeping.submit(due)
        if (
            not self._settling.is_busy
            and now >= self._end_pause.until
            and (due := self._ledger.due_settlements(now))
        ):
            self._settling.submit(due)

    def next_at(self) -> float | None:
        """When something is due, unless an answer comes before; None where nothing is."""
        if self.is_busy or (at := self._ledger.settle_at()) is None:
            return None
        # The later one: between two pauses, one turn of the loop too many or a moment too late do no harm.
        return max(at, self._keep_pause.until, self._end_pause.until)

    def close(self, timeout: float) -> None:
        """End its threads, waiting for a request under way for `timeout` seconds at most."""
        self._keeping.close(timeout)
        self._settling.close(timeout)

    def _kept(self, due: list[Holding], answer: list[Execution | Unknown] | CloudqError) -> None:
        now = self._clock.monotonic()
        told = _told(answer, due)
        self._keep_pause.told(told, now)
        for holding, one in zip(due, told, strict=True):
            self._ledger.kept(holding.tag, one, now)

    def _settled(self, due: list[Holding], answer: list[Answer] | CloudqError) -> None:
        now = self._clock.monotonic()
        told = _told(answer, due)
        self._end_pause.told(told, now)
        for holding, one in zip(due, told, strict=True):
            self._ledger.settled(holding.tag, one, now)


class _Pause:
    """Until when nothing is tried, since nothing could be done; messages have pauses of their own besides."""

    def __init__(self) -> None:
        self.until = float("-inf")
        self._seconds = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the last try did nothing."""
        return self._seconds > 0

    def told(self, answers: Sequence[object], now: float) -> None:
        """What came of a try."""
        if all(isinstance(one, Unknown) for one in answers):
            self._seconds = min(LONGEST_PAUSE, 2 * self._seconds or 0.1)
            self.until = now + self._seconds
        else:
            self._seconds, self.until = 0.0, float("-inf")


def _items(due: Sequence[Holding]) -> _Items:
    return [(one.delivery, one.execution) for one in due if one.execution is not None]


def _told(answer: list[T] | CloudqError, due: Sequence[Holding]) -> Sequence[T | Unknown]:
    return [Unknown(str(answer))] * len(due) if isinstance(answer, CloudqError) else answer


def _each(call: Callable[[_Items], list[T]], items: _Items) -> list[T | Unknown]:
    """The answers; where one item breaks the call, which must not hold up the others, one by one."""
    try:
        return [*call(items)]
    except Exception as error:
        if len(items) == 1:
            logger.exception("a message can't be settled", extra={"action": "unexpected_error"})
            return [Unknown(f"{type(error).__name__}: {error}")]
        logger.exception("a batch can't be settled: one by one", extra={"action": "unexpected_error"})
        return [answer for item in items for answer in _each(call, [item])]
