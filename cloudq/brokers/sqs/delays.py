"""How long SQS holds things, and which of its two ways of holding one fits a release. Pure."""

from __future__ import annotations

import math

__all__ = ["MAX_DELAY", "MAX_LEASE", "MAX_WAIT", "copies", "delay_seconds", "lease_seconds"]

MAX_DELAY = 900
"""Seconds of DelaySeconds. Source: SQS API Reference, SendMessage, read 2026-11."""
MAX_WAIT = 20
"""Seconds of WaitTimeSeconds. Source: SQS API Reference, ReceiveMessage, read 2026-11."""
MAX_LEASE = 43_200
"""Seconds of VisibilityTimeout, counted from the receive: asking for more than is left of them is an error.
Source: SQS API Reference, ChangeMessageVisibility, read 2026-11."""
LEASE_MARGIN = 60
"""Seconds kept off the end of the twelve hours, for what this machine's clock and SQS's disagree by."""
SHORT_DELAY = 60.0
"""Seconds up to which a released message stays under its lease instead of being sent anew."""


def delay_seconds(delay: float) -> int:
    """DelaySeconds for a delay: never early, except where it is longer than SQS can hold."""
    return _whole(delay, MAX_DELAY)


def lease_seconds(lease: float, *, received_at: float | None, now: float) -> int | None:
    """VisibilityTimeout for a lease that ends so many seconds from now.

    Args:
        lease: Seconds.
        received_at: When the receive was sent; None where nobody knows.
        now: The time.

    Returns:
        What SQS accepts; None when the message's twelve hours are over.
    """
    wanted = _whole(lease, MAX_LEASE)
    if received_at is None:
        return wanted
    left = MAX_LEASE - LEASE_MARGIN - math.ceil(now - received_at)
    return min(wanted, left) if left >= 0 else None


def copies(delay: float, *, is_fifo: bool, has_body: bool) -> bool:
    """Whether a release sends a copy, so that a long backoff isn't counted as in flight.

    A FIFO queue's message never moves: its group waits behind it. A delay that DelaySeconds can't hold stays
    under the lease, too, which can be twelve hours long.
    """
    return has_body and not is_fifo and SHORT_DELAY < delay <= MAX_DELAY


def _whole(seconds: float, most: int) -> int:
    # Cut before it is rounded, which infinity can't be. NaN is no time: 0, since max keeps its first then.
    return math.ceil(min(most, max(0.0, seconds)))
