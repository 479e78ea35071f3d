"""What a chaos run sends, as the publisher and the verdict both count it."""

from __future__ import annotations

CHUNK = 100
"""Messages sent with one call; with each chunk goes one message for every ordered group."""


def kind_of(number: int) -> str:
    """One in twenty is slow, one in ten fails once."""
    if number % 20 == 7:
        return "slow"
    return "flaky" if number % 10 == 3 else "quick"
