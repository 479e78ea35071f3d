"""A message and the states it goes through."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from random import getrandbits, shuffle
from typing import Any, Final, Literal

State = Literal["delayed", "ready", "leased", "gone"]

DELAYED: Final = "delayed"
READY: Final = "ready"
LEASED: Final = "leased"
GONE: Final = "gone"
"""Deleted, expired, purged or moved away; final."""

_digits = [f"{number:03x}" for number in range(0x1000)]
shuffle(_digits)
_start = f"{getrandbits(20):05x}"
_middle = f"-{getrandbits(16):04x}-4{getrandbits(12):03x}-a{getrandbits(12):03x}-{getrandbits(24):06x}"

new_id: Final = map("".join, itertools.product((_start,), _digits, (_middle,), _digits, _digits)).__next__
"""Makes a UUID that no other process has either, without a step in Python: all is full of ids.

It can be guessed, and there are 68 billion of them.
"""


@dataclass(slots=True, eq=False)
class Message:
    """One message, from its send until it is gone. Identity is equality: a redelivered message is the same.

    Args:
        body: The text as it was sent.
        body_md5: Its digest.
        sender: The account that sent it.
        sent_at: When; a move to a dead-letter queue keeps it on standard queues.
        attributes: The message attributes as in the JSON protocol, binary values in base64.
        attributes_md5: Their digest; empty without attributes.
        trace: The ``AWSTraceHeader``.
        trace_md5: The digest of the system attributes; empty without.
        group: The ``MessageGroupId``.
        deduplication: The ``MessageDeduplicationId``, on FIFO queues.
        delay: Seconds until it may be received; None takes the queue's.
        id: The message id.
    """

    body: str
    body_md5: str
    sender: str
    sent_at: float
    attributes: dict[str, Any] | None = None
    attributes_md5: str = ""
    trace: str = ""
    trace_md5: str = ""
    group: str = ""
    deduplication: str = ""
    delay: float | None = None
    id: str = field(default_factory=new_id)

    number: int = 0
    """Its place in the queue that holds it; unique there."""
    sequence: str = ""
    """The ``SequenceNumber`` of a FIFO queue."""
    state: State = GONE
    receive_count: int = 0
    """Receives in all queues it went through: ``ApproximateReceiveCount``."""
    received_here: int = 0
    """Receives in the queue that holds it, which its redrive policy counts."""
    first_received_at: float | None = None
    received_at: float = 0.0
    receipt_number: int = 0
    """Of the latest receipt; an older one no longer settles this message."""
    dead_letter_source: str = ""
    """ARN of the queue that gave up on it."""


def digest(body: str) -> str:
    """MD5 of a body, for the client to compare; nothing rests on its strength."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
