"""Messages as the texts that Redis keeps, and such texts as deliveries.

A text is a line and the body. The line is the message's id, in ASCII; where there is more to be said (a
group, attributes, a reason), it is a JSON array of id, group, attributes and reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from cloudq.delivery import Delivery, Outgoing, Reason

__all__ = ["buried", "outgoing", "received", "rewritten", "seen"]


def outgoing(message: Outgoing) -> bytes:
    """The text of a message that is sent."""
    return _text(message.id, message.group, message.attributes, None, message.body)


def rewritten(held: Delivery, body: bytes) -> bytes:
    """The text of a message whose body changes."""
    return _text(held.id, held.group, held.attributes, held.reason, body)


def buried(held: Delivery, reason: Reason, now: float) -> bytes:
    """The text of a dead letter.

    Args:
        held: What is given up on.
        reason: Why.
        now: Seconds since the epoch.
    """
    full = replace(reason, queue=held.queue, receive_count=held.receive_count, died_at=now)
    return _text(held.id, held.group, held.attributes, full, held.body)


def received(queue: str, token: str, elements: bytes, lengths: bytes, texts: bytes) -> list[Delivery]:
    """What `receive.lua` answers of one queue.

    Args:
        queue: Its name.
        token: What ends the receipts.
        elements: What the queue called the messages, with blanks between.
        lengths: The texts', with blanks between.
        texts: The texts, one behind the other.
    """
    deliveries: list[Delivery] = []
    start = 0
    for element, length in zip(elements.decode().split(" "), lengths.split(b" "), strict=True):
        end = start + int(length)
        entry, _, past = element.partition(":")
        receives = int(past) + 1 if past else 1
        deliveries.append(_delivery(queue, entry, f"{entry}:{receives}:{token}", receives, texts[start:end]))
        start = end
    return deliveries


def seen(queue: str, element: str, text: bytes) -> Delivery:
    """A message that is looked at."""
    entry, _, past = element.partition(":")
    return _delivery(queue, entry, "", int(past or 0), text)


def _delivery(queue: str, entry: str, receipt: str, receives: int, text: bytes) -> Delivery:
    line, _, body = text.partition(b"\n")
    sent = entry.partition("-")[0]
    sent_at = int(sent) / 1000 if sent.isdecimal() else None  # looked at, before a receive has put it right
    try:
        if not line.startswith(b"["):
            return Delivery(queue, line.decode("ascii"), body, receipt, receives, None, sent_at)
        message_id, group, attributes, reason = json.loads(line)
        why = Reason(**reason) if reason else None
    except (ValueError, TypeError):
        # Somebody else's text, or what is left of one of ours: whoever runs it finds that it is no message.
        return Delivery(queue, entry, text, receipt, receives, None, sent_at)
    return Delivery(queue, message_id, body, receipt, receives, group, sent_at, attributes, why)


def _text(
    id: str, group: str | None, attributes: Mapping[str, str], reason: Reason | None, body: bytes
) -> bytes:
    if group is None and not attributes and reason is None and _is_plain(id):
        return b"%b\n%b" % (id.encode(), body)
    known: Sequence[Any] = (id, group, dict(attributes), asdict(reason) if reason else None)
    return b"%b\n%b" % (json.dumps(known, separators=(",", ":")).encode(), body)


def _is_plain(id: str) -> bool:
    return id.isascii() and "\n" not in id and not id.startswith("[")
