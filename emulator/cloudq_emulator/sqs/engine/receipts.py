"""Receipt handles: opaque to clients, readable to us."""

from __future__ import annotations

import binascii
from typing import NamedTuple

from cloudq_emulator.sqs.refusals import RECEIPT_HANDLE_IS_INVALID


class Receipt(NamedTuple):
    """What a handle says: the queue it is of, the message's number in it, and which receive it was."""

    queue: str
    message: int
    number: int


def write(queue: str, message: int, number: int) -> str:
    """A new handle for one receive of one message."""
    return binascii.b2a_base64(f"{queue}:{message}:{number}".encode(), newline=False).decode()


def read(handle: str, queue: str) -> Receipt:
    """What a handle says.

    Raises:
        SqsError: It is none of this queue's.
    """
    try:
        of, message, number = binascii.a2b_base64(handle, strict_mode=True).split(b":")
        receipt = Receipt(of.decode(), int(message), int(number))
    except ValueError:
        raise RECEIPT_HANDLE_IS_INVALID.error(value=handle) from None
    if receipt.queue != queue:
        raise RECEIPT_HANDLE_IS_INVALID.error(value=handle)
    return receipt
