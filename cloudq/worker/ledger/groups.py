"""The order of messages in FIFO groups: one runs when all before it in its group are settled."""

from __future__ import annotations

from collections import deque

from cloudq.delivery import Delivery
from cloudq.queues import FIFO_SUFFIX
from cloudq.worker.ledger.holding import Holding

__all__ = ["Groups", "group_of"]


def group_of(delivery: Delivery) -> tuple[str, str] | None:
    """The group that a message must keep its place in; None where groups are for fairness alone."""
    if delivery.group is None or not delivery.queue.endswith(FIFO_SUFFIX):
        return None
    return delivery.queue, delivery.group


class Groups:
    """What is held of each group, in the order in which it came; asked only about what has a group."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str] | None, deque[Holding]] = {}

    def join(self, holding: Holding) -> None:
        """It came last."""
        self._groups.setdefault(holding.group, deque()).append(holding)

    def is_blocked(self, holding: Holding) -> bool:
        """Whether a message before it isn't settled yet."""
        return self._groups[holding.group][0] is not holding

    def leave(self, holding: Holding) -> list[Holding]:
        """It is held no longer; what of its group still is."""
        mates = self._groups[holding.group]
        mates.remove(holding)
        if not mates:
            del self._groups[holding.group]
        return list(mates)
