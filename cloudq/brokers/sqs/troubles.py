"""Queues that can't be received from now: each rests for a while, so that the others go on."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from cloudq.brokers.rests import Rests
from cloudq.clock import Clock
from cloudq.errors import BrokerError, QueueNotFoundError
from cloudq.retry import Backoff

__all__ = ["Troubles"]

_REST = Backoff(base=5.0, max=60.0, jitter=False)
"""For how long a queue isn't asked."""

logger = logging.getLogger(__name__)


class Troubles:
    """What is wrong with which queue.

    Args:
        clock: What measures.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rests = Rests(_REST)
        self._pauses: dict[str, float] = {}
        self._missing: set[str] = set()
        self._has_answered: set[str] = set()

    def is_missing(self, queue: str) -> bool:
        """Whether it wasn't there when it was last asked."""
        return queue in self._missing

    def has_answered(self, queue: str) -> bool:
        """Whether it was ever received from."""
        return queue in self._has_answered

    def worth_asking(self, queues: Sequence[str]) -> list[str]:
        """Those that don't rest; all, where all of them do, since whoever asks then has pauses of its own."""
        return self._rests.worth_asking(queues, self._clock.monotonic())

    def answered(self, queue: str) -> None:
        """It is well."""
        self._has_answered.add(queue)
        if self._rests.answered(queue):
            self._missing.discard(queue)
            logger.info(
                "queue %r is received from again", queue, extra={"action": "queue_back", "queue": queue}
            )

    def failed(self, queue: str, error: BrokerError) -> None:
        """Let it rest, longer each time."""
        self._pauses[queue] = self._rests.failed(queue, self._clock.monotonic())
        if isinstance(error, QueueNotFoundError):
            self._missing.add(queue)

    def report(self, queue: str, error: BrokerError) -> None:
        """Tell of a failure that nobody is raised, since other queues go on."""
        logger.warning(
            "queue %r can't be received from, next try in %.0f s; others go on: %s",
            queue,
            self._pauses[queue],
            error,
            extra={"action": "queue_failed", "queue": queue},
        )
