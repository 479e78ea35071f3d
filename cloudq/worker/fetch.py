"""Receiving for a whole worker: one receive at a time, from queues that aren't paused.

The pauses between receives grow while the broker fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from cloudq.app import App
from cloudq.clock import Clock
from cloudq.delivery import Delivery
from cloudq.errors import CloudqError
from cloudq.retry import Backoff
from cloudq.worker.lane import Lane
from cloudq.worker.preference import Preference
from cloudq.worker.reception import HOPELESS, Reception

__all__ = ["Fetcher"]

WAIT = 1.0
"""Seconds that a receive waits where the broker sets no limit: how long a stop waits for it at most."""

_PAUSE = Backoff(base=0.5, max=30.0)
_BURST_PAUSE = 0.05

logger = logging.getLogger(__name__)


class _Job(NamedTuple):
    asked_at: float
    room: int
    paused: frozenset[str]


class Fetcher:
    """Asks the broker for messages.

    Args:
        app: Whose broker.
        preference: Where, and in what order.
        lease: Seconds of the leases.
        is_burst: Whether to look rather than wait.
        clock: Time.
        interject: Makes a call with the loop's turn.
        then: Gets what a receive brought, and when it was sent.
        give_up: Gets why the first receive failed, where that won't mend itself.
    """

    def __init__(
        self,
        *,
        app: App,
        preference: Preference,
        lease: float,
        is_burst: bool,
        clock: Clock,
        interject: Callable[[Callable[[], None]], Any],
        then: Callable[[list[Delivery], float], None],
        give_up: Callable[[CloudqError], None],
    ) -> None:
        self._clock, self._then, self._give_up = clock, then, give_up
        self._queues, self._most, self._is_burst = preference.names, app.broker.limits.max_receive, is_burst
        wait = 0.0 if is_burst else min(app.broker.limits.max_wait or WAIT, lease / 3)
        self._reception = Reception(app, preference, lease=lease, wait=wait, clock=clock)
        self._failures = 0
        self._at = 0.0
        self._lane: Lane[_Job, list[Delivery]] = Lane("fetch", self._receive, self._received, interject)

    @property
    def is_busy(self) -> bool:
        """Whether a receive is under way."""
        return self._lane.is_busy

    @property
    def next_at(self) -> float | None:
        """When a pause ends; None while a receive is under way."""
        return None if self._lane.is_busy else self._at

    def fetch(self, now: float, room: int, paused: frozenset[str]) -> None:
        """Ask for up to `room` messages, unless a receive is under way, or there is nothing to ask now.

        Args:
            now: The time.
            room: How many.
            paused: Queues that aren't asked.
        """
        if not room or self._lane.is_busy or now < self._at:
            return
        if not paused.issuperset(self._queues):
            self._lane.submit(_Job(now, min(room, self._most), paused))
        elif self._is_burst:
            self._then([], now)

    def close(self, timeout: float) -> None:
        """End its thread, waiting for a receive under way for `timeout` seconds at most."""
        self._lane.close(timeout)

    def _receive(self, job: _Job) -> list[Delivery]:
        return self._reception.receive(job.room, job.paused)

    def _received(self, job: _Job, answer: list[Delivery] | CloudqError) -> None:
        now = self._clock.monotonic()
        if isinstance(answer, HOPELESS) and not self._reception.has_received:
            self._give_up(answer)
            return
        if isinstance(answer, CloudqError):
            self._failures += 1
            pause = _PAUSE.delay(self._failures)
            self._at = now + pause
            logger.error(
                "can't receive, next try in %.1f s: %s", pause, answer, extra={"action": "receive_failed"}
            )
            return
        self._failures = 0
        if self._is_burst and not answer:
            self._at = now + _BURST_PAUSE
        self._then(answer, job.asked_at)
