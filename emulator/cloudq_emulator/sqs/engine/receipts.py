"""Receipt handles: opaque to clients, readable to us."""

from __future__ import annotations

from cloudq_emulator.sqs.refusals import RECEIPT_HANDLE_IS_INVALID


def write(queue: str, message: int, number: int) -> str:
    """A new handle for one receive of one message."""
    return f"{queue}-{message}-{number}"


def read(handle: str, queue: str) -> tuple[int, int]:
    """What a handle says: the message's number in its queue, and which receive it was.

    Raises:
        SqsError: It is none of this queue's.
    """
    try:
        of, message, number = handle.split("-")
        if of == queue:
            return int(message), int(number)
    except ValueError:
        pass
    raise RECEIPT_HANDLE_IS_INVALID.error(value=handle)
