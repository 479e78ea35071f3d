"""The lease keeper: extends what is held before its lease ends, and notices what was lost all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cloudq.brokers.base import Broker
from cloudq.delivery import Answer, Settled, Unknown
from cloudq.errors import CloudqError
from cloudq.worker.lane import Lane
from cloudq.worker.ledger import Holding, Ledger

__all__ = ["Keeper"]

_LOOKS = 20
"""Looks at the leases in the length of one."""

_TELLS = 1.0
"""Seconds between two lines that leases can't be extended, which fails for all at once, and again."""

logger = logging.getLogger(__name__)


class Keeper:
    """Keeps the leases of what a ledger holds.

    Args:
        broker: Where they were given.
        ledger: What is held.
        lease: Seconds of a lease.
        interject: Makes a call with the loop's turn.
    """

    def __init__(
        self, broker: Broker, ledger: Ledger, lease: float, interject: Callable[[Callable[[], None]], Any]
    ) -> None:
        self._broker, self._ledger, self._lease = broker, ledger, lease
        self._lane: Lane[tuple[float, list[Holding]], list[Answer]] = Lane(
            "keep", self._extend, self._extended, interject
        )
        self._told_at = float("-inf")
        self.next_at = 0.0
        """When to look again."""

    def look(self, now: float) -> list[Holding]:
        """Extend what is due; what a child has and has lost is returned, to be told."""
        if now < self.next_at:
            return []
        self.next_at = now + min(1.0, self._lease / _LOOKS)
        lost = self._ledger.lapse(now)
        if lost:
            logger.error(
                "%d of the leases that are held have ended: these messages are run again, and what comes of "
                "their runs here isn't kept",
                len(lost),
                extra={"action": "lease_lost", "message_id": lost[0].delivery.id, "count": len(lost)},
            )
        if not self._lane.is_busy and (due := self._ledger.due_extensions(now)):
            self._lane.submit((now, due))
        return lost

    def close(self, timeout: float) -> None:
        """End its thread, waiting for a request under way for `timeout` seconds at most."""
        self._lane.close(timeout)

    def _extend(self, job: tuple[float, list[Holding]]) -> list[Answer]:
        return self._broker.extend([(holding.delivery, self._lease) for holding in job[1]])

    def _extended(self, job: tuple[float, list[Holding]], answer: list[Answer] | CloudqError) -> None:
        asked_at, due = job
        answers = [Unknown(str(answer))] * len(due) if isinstance(answer, CloudqError) else answer
        failed: dict[str, list[str]] = {}
        for holding, one in zip(due, answers, strict=True):
            self._ledger.extended(holding.tag, one, asked_at)
            if not isinstance(one, Settled):
                why = one.why if isinstance(one, Unknown) else "it had ended"
                failed.setdefault(why, []).append(holding.delivery.id)
        if failed and asked_at >= self._told_at + _TELLS:
            self._told_at = asked_at
            for why, ids in failed.items():
                extra = {"action": "extend_failed", "message_id": ids[0], "count": len(ids)}
                logger.warning("leases not extended: %s", why, extra=extra)
