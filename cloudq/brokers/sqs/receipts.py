"""Receipts: SQS's handle, and when it was asked for, since a lease can't outlive twelve hours from then."""

from __future__ import annotations

__all__ = ["handle_of", "receipt", "received_at"]

_MARK = "@"


def receipt(handle: str, received_at: float) -> str:
    """A receipt that knows its age.

    Args:
        handle: SQS's own.
        received_at: When the receive was sent (seconds since the epoch).
    """
    return f"{received_at:.3f}{_MARK}{handle}"


def handle_of(receipt: str) -> str:
    """SQS's own handle; a bare one, as a Lambda event has it, is its own."""
    at, mark, handle = receipt.partition(_MARK)
    return handle if mark and _number(at) is not None else receipt


def received_at(receipt: str) -> float | None:
    """When the receive was sent; None for a bare handle."""
    at, mark, _ = receipt.partition(_MARK)
    return _number(at) if mark else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
