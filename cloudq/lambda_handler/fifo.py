"""FIFO groups after a failure: what comes behind it in its group must not overtake it. Pure."""

from __future__ import annotations

from cloudq.delivery import Delivery
from cloudq.queues import FIFO_SUFFIX

__all__ = ["Groups"]


class Groups:
    """The groups of one batch. A standard queue's groups are for fairness only and never stand still."""

    def __init__(self) -> None:
        self._stopped: dict[tuple[str, str], float] = {}

    def stop(self, delivery: Delivery, delay: float) -> None:
        """Let a delivery's group wait as long as the delivery itself does.

        Args:
            delivery: What goes back to its queue.
            delay: Seconds until it can be received again.
        """
        if (key := _key(delivery)) is not None:
            self._stopped.setdefault(key, delay)

    def stopped(self, delivery: Delivery) -> float | None:
        """Seconds that a delivery must wait behind another of its group; None where it may run."""
        key = _key(delivery)
        return None if key is None else self._stopped.get(key)


def _key(delivery: Delivery) -> tuple[str, str] | None:
    if delivery.group is None or not delivery.queue.endswith(FIFO_SUFFIX):
        return None
    return delivery.queue, delivery.group
