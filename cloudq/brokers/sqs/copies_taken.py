"""Which deliveries' copies were surely taken, so that a repeated settlement sends no second one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from cloudq.brokers.sqs.delays import MAX_LEASE
from cloudq.clock import Clock
from cloudq.delivery import Answer, Delivery, Unknown

__all__ = ["CopiesTaken"]

MOST = 20_000
"""Deliveries remembered at once; the oldest go first. As many messages as a large worker can hold."""


class CopiesTaken:
    """Remembers by receipt, which is new with each receive, and no longer than a lease can last.

    Args:
        clock: What measures.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._taken_at: dict[tuple[str, str], float] = {}

    def __contains__(self, delivery: Delivery) -> bool:
        return _key(delivery) in self._taken_at

    def __len__(self) -> int:
        return len(self._taken_at)

    def remember(self, deliveries: Iterable[Delivery]) -> None:
        """Their copies are taken; the originals are left to be deleted."""
        now = self._clock.monotonic()
        with self._lock:
            for delivery in deliveries:
                self._taken_at.setdefault(_key(delivery), now)
            # The oldest stand first: a dict keeps the order in which its keys came.
            for key, taken_at in list(self._taken_at.items()):
                if len(self._taken_at) <= MOST and now - taken_at < MAX_LEASE:
                    break
                del self._taken_at[key]

    def settled(
        self, delete: Callable[[Sequence[Delivery]], list[Answer]], originals: Sequence[Delivery]
    ) -> list[Answer]:
        """Delete originals, and forget those that need no other try."""
        answers = delete(originals)
        with self._lock:
            for original, answer in zip(originals, answers, strict=True):
                if not isinstance(answer, Unknown):
                    self._taken_at.pop(_key(original), None)
        return answers


def _key(delivery: Delivery) -> tuple[str, str]:
    return delivery.queue, delivery.receipt
