"""Delays as routes. Pure.

A message that is to wait goes through queues in which everything waits for the same time: 1/8 s, 1/4 s, 1/2 s
and so on, one for each bit of its delay. The routing key names the bits and, at its end, the queue:
`0.0.1.1.orders` waits for 2 and for 1 units. What leaves a level goes to the exchange of the level below,
which reads the next bit. So nothing ever stands behind what waits longer, and no process has to be there.
"""

from __future__ import annotations

import math

__all__ = [
    "LEVELS",
    "LONGEST",
    "UNIT_MS",
    "bit_pattern",
    "exchange",
    "level_queue",
    "levels",
    "route",
    "skip_pattern",
]

UNIT_MS = 125
"""Milliseconds that level 0 waits."""

LEVELS = 26
"""The highest one waits 48 days: a queue's TTL ends at 2^32 - 1 ms. Source: RabbitMQ, TTL, read 2026-11."""

_PRECISION = 12
"""Bits of a delay that are kept, the rest is rounded up: at most 0.05 % more, for at most 12 hops."""

_MOST_UNITS = (2**_PRECISION - 1) << (LEVELS - _PRECISION)

LONGEST = _MOST_UNITS * UNIT_MS / 1000
"""Seconds: 97 days."""


def levels(delay: float) -> list[int]:
    """The levels that a delay goes through, the highest first.

    Args:
        delay: Seconds, more than 0; what is longer than `LONGEST` waits so long.
    """
    units = math.ceil(min(delay, LONGEST) * 1000 / UNIT_MS)
    surplus = max(0, units.bit_length() - _PRECISION)
    units = -(-units >> surplus) << surplus
    return [level for level in reversed(range(LEVELS)) if units >> level & 1]


def route(delay: float, queue: str) -> tuple[str, str]:
    """The exchange and the routing key that lead into a queue after a delay."""
    through = levels(delay)
    bits = ["1" if level in through else "0" for level in reversed(range(LEVELS))]
    return exchange(through[0]), ".".join((*bits, queue))


def exchange(level: int) -> str:
    """The exchange that reads a level's bit; below 0 the one that leads into the queue."""
    return f"cloudq.delay.{level}" if level >= 0 else "cloudq.delay.over"


def level_queue(queue: str, level: int) -> str:
    """Where what is meant for a queue waits at a level."""
    return f"{queue}.delay.{level}"


def bit_pattern(level: int, queue: str) -> str:
    """What leads into a level's queue: its bit is set."""
    return ".".join((*["*"] * (LEVELS - 1 - level), "1", *["*"] * level, queue))


def skip_pattern(level: int) -> str:
    """What goes on to the level below: its bit isn't set."""
    return ".".join((*["*"] * (LEVELS - 1 - level), "0", "#"))
