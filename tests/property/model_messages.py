"""Messages as a model of a broker has them: who holds them, and what their runs have come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from cloudq.delivery import Delivery, Outcome, Requeue, RetryLater

_RECEIPTS = count()


@dataclass
class Message:
    """One in the broker.

    Args:
        number: Its place among all.
        group: Its FIFO group.
        retries: Raised by each retry, and so is another body.
        receive_count: Deliveries so far that count.
        receipt: The latest.
        lease_until: When that one's lease ends.
        has_ended: Whether it is acked or dead-lettered.
        came_to: What runs of it have come to and was kept, with the body that they had; but for those that
            were told that they had lost their lease.
    """

    number: int
    group: str | None
    retries: int = 0
    receive_count: int = 0
    receipt: str = ""
    lease_until: float = float("-inf")
    has_ended: bool = False
    came_to: set[tuple[int, type[Outcome]]] = field(default_factory=set)

    def deliver(self, until: float) -> Delivery:
        self.receive_count += 1
        self.receipt = f"{self.number}-{next(_RECEIPTS)}"
        self.lease_until = until
        return Delivery(
            queue="q.fifo" if self.group else "q",
            id=str(self.number),
            body=f"{self.number} {self.retries}".encode(),
            receipt=self.receipt,
            receive_count=self.receive_count,
            group=self.group,
            sent_at=float(self.number),
        )

    def settle(self, outcome: Outcome) -> None:
        self.lease_until = float("-inf")
        match outcome:
            case RetryLater():
                self.retries += 1
            case Requeue(is_counted=False):
                self.receive_count -= 1
            case Requeue():
                pass
            case _:
                self.has_ended = True


def retries_of(delivery: Delivery) -> int:
    """The count in its body."""
    return int(delivery.body.split()[1])
