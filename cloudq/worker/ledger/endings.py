"""What has ended and waits: to be kept, then to be settled, or for another try at either.

What must be kept before a lease may be ended (a record, what follows) is kept first, while the lease can
still be extended. A settlement waits for the answer to an extension that is under way.
"""

from __future__ import annotations

from cloudq.worker.ledger.holding import Holding

__all__ = ["LINGER", "Endings"]

LINGER = 0.2
"""Seconds for which what has ended waits for company where requests are paid for, unless nothing else is
held."""
_LONGEST_BACKOFF = 30.0


class Endings:
    """The holdings that are FINISHED, but for those with a request to keep or to settle them under way.

    Args:
        paid_batch: How many messages one request carries where each is paid for; None where they are free.
    """

    def __init__(self, paid_batch: int | None) -> None:
        self._paid_batch = paid_batch
        self._lingers_since: float | None = None
        self._to_keep: list[Holding] = []
        self._to_settle: list[Holding] = []
        self._waiting: dict[int, Holding] = {}  # for an extension's answer, or for another try

    def add(self, holding: Holding) -> None:
        """It is to be kept or, kept, to be settled."""
        if not holding.is_kept:
            self._to_keep.append(holding)
        elif holding.is_changing:
            self._waiting[holding.tag] = holding
        else:
            self._to_settle.append(holding)

    def defer(self, holding: Holding, now: float) -> None:
        """Keeping or settling it came to nothing: it is tried again, each time later."""
        holding.tries += 1
        holding.not_before = now + min(_LONGEST_BACKOFF, 0.1 * 2.0 ** min(holding.tries, 16))
        self._waiting[holding.tag] = holding

    def discard(self, holding: Holding) -> None:
        """It is held no longer, and waits for nothing."""
        self._waiting.pop(holding.tag, None)

    def take_to_keep(self, now: float) -> list[Holding]:
        """What is to be kept now."""
        self._look_at_waiting(now)
        taken, self._to_keep = self._to_keep, []
        return taken

    def take_to_settle(self, now: float, *, is_all: bool) -> list[Holding]:
        """What is to be settled now, but for what shall wait a moment, so that its request is full.

        Args:
            now: The time.
            is_all: Whether nothing else is held, so that there is nothing to wait for.
        """
        self._look_at_waiting(now)
        ended, batch = self._to_settle, self._paid_batch
        if batch is None or not ended or is_all or any(one.group is not None for one in ended):
            self._to_settle, self._lingers_since = [], None
            return ended
        if self._lingers_since is None:
            self._lingers_since = now
        is_over = now >= self._lingers_since + LINGER
        count = len(ended) if is_over else len(ended) - len(ended) % batch
        if count:
            self._lingers_since = None if count == len(ended) else now
        self._to_settle = ended[count:]
        return ended[:count]

    def next_at(self) -> float | None:
        """When something is to be taken, if nothing happens meanwhile; None where nothing waits."""
        if self._to_keep or (self._to_settle and self._lingers_since is None):
            return float("-inf")
        moments = [one.not_before for one in self._waiting.values() if not _is_held_up(one)]
        if self._to_settle and self._lingers_since is not None:
            moments.append(self._lingers_since + LINGER)
        return min(moments, default=None)

    def _look_at_waiting(self, now: float) -> None:
        if not self._waiting:
            return
        for holding in list(self._waiting.values()):
            if holding.not_before <= now and not _is_held_up(holding):
                del self._waiting[holding.tag]
                self.add(holding)


def _is_held_up(holding: Holding) -> bool:
    """Whether it waits for an extension's answer."""
    return holding.is_changing and holding.is_kept
