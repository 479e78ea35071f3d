"""What has ended here, should its message come again all the same: it is settled by that, and not run again.

| it comes again since | what is remembered |
|---|---|
| its lease was lost before it could be settled: the broker died, or was too slow | what it came to |
| the broker died with an ack that it hadn't written down (`Limits.answers_acks`) | that it was acked |

A record in a result backend does the same, for all workers.

Only what settles a message for good is remembered, and only for this very message: a retry on most brokers, a
redrive and a re-run have another body. Whoever was told that its lease was lost may have given up half-way.
Dead letters aren't among what was acked: a foreign tool may have put one back as it was.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

from cloudq.delivery import Dead, Delivery, Done, Execution, Ignored
from cloudq.worker.ledger.holding import Holding

__all__ = ["KEPT_SECONDS", "MOST", "MOST_ACKED", "Recall"]

KEPT_SECONDS = 3600.0
"""For how long an end is remembered: as long as a broker may be away."""
MOST = 2000
"""What a worker holds that has ended, with room to spare; see `supply.MOST_UNSETTLED`."""
MOST_ACKED = 9000
"""Acks, of some 70 bytes each; of these, half at least are remembered. RabbitMQ 3.10, killed amid 4,000 acks
a second, had forgotten the last 400. Measured 2026-11."""

_AGAIN = Execution(Ignored("it was acked here before, and its broker has forgotten that"))


class _End(NamedTuple):
    execution: Execution
    receive_count: int
    until: float


class Recall:
    """Remembers how messages ended, for a while; the oldest are forgotten where there are too many."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str, bytes], _End] = {}
        self._acked: set[int] = set()
        self._acked_before: set[int] = set()

    def remember(self, holding: Holding, now: float) -> None:
        """It is held no longer, and its message comes again."""
        execution = holding.execution
        if execution is None or holding.is_lost or not (holding.is_kept and execution.id):
            return
        if not isinstance(execution.outcome, (Done, Ignored, Dead)):
            return
        if isinstance(execution.outcome, Done):
            execution = execution._replace(outcome=Done())  # the result is kept: the ack needs none
        end = _End(execution, holding.delivery.receive_count, now + KEPT_SECONDS)
        self._ended[_key(holding.delivery)] = end
        if len(self._ended) > MOST:
            del self._ended[next(iter(self._ended))]

    def remember_ack(self, delivery: Delivery) -> None:
        """It was acked, which its broker may forget."""
        if delivery.sent_at is None:
            return  # another client's: whether it is sent twice under one id can't be told
        self._acked.add(_mark(delivery))
        if len(self._acked) >= MOST_ACKED // 2:
            self._acked, self._acked_before = set(), self._acked

    def take(self, delivery: Delivery, now: float) -> Execution | None:
        """What this message, which has been received before, came to here; None where that isn't known.

        A second message under the same id is another: it hasn't been received more often than the first, or
        was sent at another time.
        """
        if self._acked or self._acked_before:
            mark = _mark(delivery)
            if mark in self._acked or mark in self._acked_before:
                return _AGAIN
        if not self._ended:
            return None
        key = _key(delivery)
        end = self._ended.get(key)
        if end is None or delivery.receive_count <= end.receive_count:
            return None
        del self._ended[key]
        return end.execution if now < end.until else None


def _key(delivery: Delivery) -> tuple[str, str, bytes]:
    return delivery.queue, delivery.id, blake2b(delivery.body, digest_size=16).digest()


def _mark(delivery: Delivery) -> int:
    """64 bits that stand for it: made for each message, in a quarter of the time of a `_key`."""
    return hash((delivery.queue, delivery.id, delivery.sent_at, delivery.body))
