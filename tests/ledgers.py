"""Ledgers in tests: what they hold, and short ways to run it."""

from __future__ import annotations

from collections.abc import Iterable

from cloudq.delivery import Delivery, Done, Execution, Outcome
from cloudq.worker.ledger import Holding, Ledger

LEASE = 60.0


def delivery(number: int, *, group: str | None = None) -> Delivery:
    """A message that was received for the first time."""
    queue = "orders.fifo" if group else "orders"
    return Delivery(
        queue=queue, id=str(number), body=b"{}", receipt=f"r{number}", receive_count=1, group=group
    )


def ledger_with(count: int = 1, *, slots: int = 1, children: int = 1, group: str | None = None) -> Ledger:
    """So many children, and so many messages that no child has yet."""
    ledger = Ledger(lease=LEASE)
    for child in range(children):
        ledger.join(child, slots)
    ledger.admit([delivery(number, group=group) for number in range(1, count + 1)], asked_at=0.0)
    return ledger


def run(ledger: Ledger, tag: int, outcome: Outcome | None = None, *, seconds: float = 1.0) -> None:
    """Its child begins it and ends it."""
    ledger.start(tag)
    ledger.finish(tag, Execution(outcome=outcome or Done(), seconds=seconds))


def tags(holdings: Iterable[Holding]) -> list[int]:
    return [holding.tag for holding in holdings]
