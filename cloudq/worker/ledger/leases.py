"""Leases while they are held: which to extend, which are lost, which begin anew.

Each holding has one request under way at most that changes its lease: while it `is_changing`, nothing else
about its lease is asked for or believed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from cloudq.delivery import Answer, Delivery, Lost, Settled, Unknown
from cloudq.worker.ledger.holding import Holding, State

__all__ = ["begin_extensions", "end_extension", "lapsed", "renew"]


def begin_extensions(held: Iterable[Holding], now: float, lease: float) -> list[Holding]:
    """Those that have less than half of a lease left; each is marked as changing."""
    due: list[Holding] = []
    for holding in held:
        if now < holding.lease_until <= now + lease / 2 and not (holding.is_changing or holding.is_lost):
            holding.is_changing = True
            due.append(holding)
    return due


def end_extension(holding: Holding, answer: Answer, until: float) -> None:
    """What came of one, by which the lease would last `until`."""
    holding.is_changing = False
    match answer:
        case Settled():
            holding.lease_until = until
        case Lost():
            holding.lease_until = float("-inf")
        case Unknown():
            pass  # due again at the next look: the lease has less than half of itself left
        case _:
            assert_never(answer)


def lapsed(held: Iterable[Holding], now: float) -> list[Holding]:
    """Those whose lease has run out before their run has ended, but for those that were told.

    While an extension is under way it may yet have saved the lease.
    """
    return [
        holding
        for holding in held
        if holding.lease_until <= now
        and not (holding.is_changing or holding.is_lost or holding.state is State.FINISHED)
    ]


def renew(holding: Holding, delivery: Delivery, until: float) -> bool:
    """Put a holding under the lease of its message's next delivery, since the one that it had was lost.

    So what waits, runs or has run goes on as though nothing had happened. Not while a request changes the old
    lease, whose answer would be taken for one about the new; not when its child was told of the loss; and not
    for a second message under the same id, which hasn't been received more often than this one.

    Returns:
        Whether that was done.
    """
    before = holding.delivery
    if holding.is_changing or holding.is_lost or delivery.receive_count <= before.receive_count:
        return False
    if (delivery.queue, delivery.body) != (before.queue, before.body):
        return False
    holding.delivery, holding.lease_until = delivery, until
    return True
