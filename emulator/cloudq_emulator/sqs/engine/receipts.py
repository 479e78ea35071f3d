"""Receipt handles: opaque to clients, readable to us."""

from __future__ import annotations

from typing import NamedTuple

from cloudq_emulator.sqs.refusals import RECEIPT_HANDLE_IS_INVALID


class Receipt(NamedTuple):
    """What a handle says: the queue it is of, the message's number in it, and which receive it was."""

    queue: str
    message: int
    number: int


def write(queue: str, message: int, number: int) -> str:
    """A new handle for one receive of one message."""
    return f"{queue}-{message}-{number}"


def read(handle: str, queue: str) -> Receipt:
    """What a handle says.

    Raises:
        SqsError: It is none of this queue's.
    """
    try:
        of, message, number = handle.split("-")
        if of == queue:
            return Receipt(of, int(message), int(number))
    except ValueError:
        pass
    raise RECEIPT_HANDLE_IS_INVALID.error(value=handle)
