"""Which queues are paused, as a worker sees it: it looks every few seconds, beside whatever else it does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from cloudq.clock import Clock
from cloudq.errors import CloudqError
from cloudq.pauses import Pauses
from cloudq.worker.lane import Lane

__all__ = ["PauseWatch"]

GLANCE = 1.5
"""Seconds between two looks: a pause and its end take effect within two."""

logger = logging.getLogger(__name__)


class PauseWatch:
    """Looks for pauses. Not in the fetching lane, where a long poll would be in its way.

    Args:
        pauses: Where they are kept; None where there is no such place, and no pause.
        queues: Whose.
        clock: Time.
        interject: Makes a call with the loop's turn.
        changed: Called with it when a queue was paused or resumed.
    """

    def __init__(
        self,
        pauses: Pauses | None,
        queues: Sequence[str],
        clock: Clock,
        *,
        interject: Callable[[Callable[[], None]], Any],
        changed: Callable[[], None],
    ) -> None:
        self._pauses, self._clock, self._changed = pauses, clock, changed
        self.paused: frozenset[str] = frozenset()
        """The queues that are paused."""
        self.is_known = pauses is None
        """Whether it has looked yet."""
        self._at = float("-inf")
        self._lane: Lane[Sequence[str], set[str]] = Lane("pauses", self._read, self._seen, interject)
        self._queues = queues

    @property
    def next_at(self) -> float | None:
        """When to look next; None while it looks, and where there is nothing to look for."""
        return None if self._pauses is None or self._lane.is_busy else self._at

    def look(self, now: float) -> None:
        """Look, if it is time."""
        if self._pauses is not None and not self._lane.is_busy and now >= self._at:
            self._lane.submit(self._queues)

    def close(self, timeout: float) -> None:
        """End its thread, waiting for a look under way for `timeout` seconds at most."""
        self._lane.close(timeout)

    def _read(self, queues: Sequence[str]) -> set[str]:
        return set() if self._pauses is None else self._pauses.among(queues)

    def _seen(self, queues: Sequence[str], answer: set[str] | CloudqError) -> None:
        del queues
        self.is_known = True
        self._at = self._clock.monotonic() + GLANCE
        if isinstance(answer, CloudqError):
            logger.warning(
                "what is paused can't be read, as before then: %s", answer, extra={"action": "pauses_unknown"}
            )
            return
        before, self.paused = self.paused, frozenset(answer)
        for queue in sorted(before ^ self.paused):
            word = "paused" if queue in self.paused else "resumed"
            logger.info("queue %r is %s", queue, word, extra={"action": f"queue_{word}", "queue": queue})
        if before != self.paused:
            self._changed()
