"""Settlements and extensions of any queues in one round trip, answered in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from cloudq.delivery import Answer, Delivery, Lost, Settled, Unknown
from cloudq.redis import Call, Failure, Server
from cloudq.redis.calls import parts

__all__ = ["settle"]

T = TypeVar("T")

_HELD = ord("1")


def settle(
    server: Server,
    things: Sequence[T],
    delivery_of: Callable[[T], Delivery],
    make: Callable[[str, Sequence[T]], Call],
) -> list[Answer]:
    """Make a call for each queue, or several for a large batch.

    Args:
        server: Where.
        things: What to settle, and how.
        delivery_of: Which delivery that is about.
        make: Makes the call for some of one queue. It answers a text of `0` (lost) and `1`, one for each.

    Raises:
        CloudqError: The server can't be reached: nothing was settled.
    """
    by_queue: dict[str, list[int]] = {}
    for at, thing in enumerate(things):
        by_queue.setdefault(delivery_of(thing).queue, []).append(at)
    batches = [(queue, part) for queue, places in by_queue.items() for part in parts(places)]
    calls = [make(queue, [things[at] for at in part]) for queue, part in batches]
    answers: list[Answer] = [Lost()] * len(things)
    for (_, part), said in zip(batches, server.run(calls) if calls else [], strict=True):
        for at, answer in zip(part, _answers(said, len(part)), strict=True):
            answers[at] = answer
    return answers


def _answers(said: bytes | Failure, count: int) -> list[Answer]:
    if isinstance(said, Failure):
        return [Unknown(str(said.error))] * count
    return [Settled() if one == _HELD else Lost() for one in said]
