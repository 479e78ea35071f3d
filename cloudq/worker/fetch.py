"""Receiving for a whole worker: one receive at a time, from queues that aren't paused.

The pauses between receives grow while the broker fails.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cloudq.app import App
from cloudq.clock import Clock
from cloudq.delivery import Delivery
from cloudq.errors import BackendError, CloudqError, ConfigurationError, QueueNotFoundError
from cloudq.retry import Backoff
from cloudq.worker.lane import Lane
from cloudq.worker.preference import Preference

__all__ = ["Fetcher"]

WAIT = 1.0
"""Seconds that a receive waits where the broker sets no limit: how long a stop waits for it at most."""

GLANCE = 2.0
"""Seconds after which a worker looks again whether its queues are paused."""

_PAUSE = Backoff(base=0.5, max=30.0)
_BURST_PAUSE = 0.05
_HOPELESS = (ConfigurationError, QueueNotFoundError)
"""What a worker that starts ends of, and says so. One that has received before goes on trying."""

logger = logging.getLogger(__name__)


class Fetcher:
    """Asks the broker for messages.

    Args:
        app: Whose broker.
        preference: Where, and in what order.
        lease: Seconds of the leases.
        is_burst: Whether to look rather than wait.
        clock: Time.
        post: Has a call made in the loop's thread.
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
        post: Callable[[Callable[[], None]], Any],
        then: Callable[[list[Delivery], float], None],
        give_up: Callable[[CloudqError], None],
    ) -> None:
        self._app, self._lease, self._clock = app, lease, clock
        self._then, self._give_up = then, give_up
        self._preference, self._queues = preference, preference.names
        self._paused: set[str] = set()
        self._look_at = 0.0
        self._is_burst = is_burst
        self._has_received = False
        self._wait = 0.0 if is_burst else min(app.broker.limits.max_wait or WAIT, lease / 3)
        self._failures = 0
        self._at = 0.0
        self._lane: Lane[tuple[float, int], list[Delivery]] = Lane(
            "fetch", self._receive, self._received, post
        )

    @property
    def is_busy(self) -> bool:
        """Whether a receive is under way."""
        return self._lane.is_busy

    @property
    def next_at(self) -> float | None:
        """When a pause ends; None while a receive is under way."""
        return None if self._lane.is_busy else self._at

    def fetch(self, now: float, room: int) -> None:
        """Ask for up to `room` messages, unless a receive is under way or a pause is on."""
        if room and not self._lane.is_busy and now >= self._at:
            self._lane.submit((now, min(room, self._app.broker.limits.max_receive)))

    def close(self, timeout: float) -> None:
        """End its thread, waiting for a receive under way for `timeout` seconds at most."""
        self._lane.close(timeout)

    def _receive(self, job: tuple[float, int]) -> list[Delivery]:
        for queue in self._queues:
            self._app.declare(queue)
        self._look_for_pauses()
        queues, limit = self._preference.order(job[1], self._paused)
        if not queues:
            return []
        try:
            brought = self._app.broker.receive(queues, limit=limit, lease=self._lease, wait=self._wait)
        except QueueNotFoundError:
            self._app.forget_queues()  # deleted meanwhile: where queues are made, the next try makes it
            raise
        self._preference.brought(delivery.queue for delivery in brought)
        return brought

    def _look_for_pauses(self) -> None:
        pauses, now = self._app.pauses, self._clock.monotonic()
        if pauses is None or now < self._look_at:
            return
        self._look_at = now + GLANCE
        try:
            paused = pauses.among(self._queues)
        except BackendError as error:
            logger.warning(
                "what is paused can't be read, as before then: %s", error, extra={"action": "pauses_unknown"}
            )
            return
        for queue in sorted(paused ^ self._paused):
            word = "paused" if queue in paused else "resumed"
            logger.info("queue %r is %s", queue, word, extra={"action": f"queue_{word}", "queue": queue})
        self._paused = paused

    def _received(self, job: tuple[float, int], answer: list[Delivery] | CloudqError) -> None:
        now = self._clock.monotonic()
        if isinstance(answer, _HOPELESS) and not self._has_received:
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
        self._failures, self._has_received = 0, True
        if len(self._paused) == len(self._queues):
            self._at = now + GLANCE
        elif self._is_burst and not answer:
            self._at = now + _BURST_PAUSE
        self._then(answer, job[0])
