"""What ran to its end under a lease that was lost before its message could be settled.

Its broker died, or was too slow: it delivers the message again, perhaps to this worker, which then settles
what it came to and doesn't run it again. A record in a result backend does the same, for all workers.

Only what settles a message for good is remembered, and only for this very message: a retry on most brokers, a
redrive and a re-run have another body. Whoever was told that its lease was lost may have given up half-way.
"""

from __future__ import annotations

from hashlib import blake2b

from cloudq.delivery import Dead, Delivery, Done, Execution, Ignored
from cloudq.worker.ledger.holding import Holding

__all__ = ["KEPT_SECONDS", "MOST", "Recall"]

KEPT_SECONDS = 3600.0
"""For how long it is remembered: as long as a broker may be away."""
MOST = 2000
"""What a worker holds that has ended, with room to spare; see `supply.MOST_UNSETTLED`."""


class Recall:
    """Remembers the ends of runs for a while; the oldest beyond `MOST` are forgotten."""

    def __init__(self) -> None:
        self._ended: dict[tuple[str, str, bytes], tuple[Execution, int, float]] = {}

    def remember(self, holding: Holding, now: float) -> None:
        """It is held no longer, and its message comes again."""
        execution = holding.execution
        if execution is None or holding.is_lost or not (holding.is_kept and execution.id):
            return
        if not isinstance(execution.outcome, (Done, Ignored, Dead)):
            return
        if isinstance(execution.outcome, Done):
            execution = execution._replace(outcome=Done())  # the result is kept: the ack needs none
        self._ended[_key(holding.delivery)] = execution, holding.delivery.receive_count, now + KEPT_SECONDS
        if len(self._ended) > MOST:
            del self._ended[next(iter(self._ended))]

    def take(self, delivery: Delivery, now: float) -> Execution | None:
        """What this message came to when it ran here; None where that isn't known (any more).

        A second message under the same id is another: it hasn't been received more often than the first.
        """
        if not self._ended:
            return None
        key = _key(delivery)
        execution, receive_count, until = self._ended.get(key, (None, 0, 0.0))
        if execution is None or delivery.receive_count <= receive_count:
            return None
        del self._ended[key]
        return execution if now < until else None


def _key(delivery: Delivery) -> tuple[str, str, bytes]:
    return delivery.queue, delivery.id, blake2b(delivery.body, digest_size=16).digest()
