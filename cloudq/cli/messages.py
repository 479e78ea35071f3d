"""Messages as commands show them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cloudq.cli.output import instant, print_table, seconds
from cloudq.codec import decode
from cloudq.delivery import Delivery
from cloudq.errors import DecodeError
from cloudq.message import Message

__all__ = ["body_of", "call_of", "message_document", "message_of", "print_messages", "shortened"]

WIDTH = 60
"""Characters of a call or a text in a table."""


def message_of(delivery: Delivery) -> Message | None:
    """What a body says; None where it is no message that can be read."""
    try:
        return decode(delivery.body)
    except DecodeError:
        return None


def body_of(delivery: Delivery) -> Any:
    """A body as a JSON value where it is one, else as text."""
    text = delivery.body.decode(errors="replace")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def message_document(delivery: Delivery) -> dict[str, Any]:
    """A message for programs."""
    message = message_of(delivery)
    return {
        "id": message.id if message else delivery.id,
        "task": message.task if message else None,
        "body": body_of(delivery),
        "group": delivery.group,
        "attributes": dict(delivery.attributes),
        "receive_count": delivery.receive_count,
        "sent_at": None if delivery.sent_at is None else instant(delivery.sent_at),
    }


def print_messages(deliveries: Sequence[Delivery], now: float) -> None:
    """Messages for people, a line each."""
    head = ("id", "call", "receives", "age")
    print_table(head, [_row(one, message_of(one), now) for one in deliveries])


def call_of(delivery: Delivery, message: Message | None) -> str:
    """A message as the call that it is, else its body."""
    if message is None:
        return delivery.body.decode(errors="replace")
    named = [f"{name}={_written(value)}" for name, value in message.kwargs.items()]
    return f"{message.task}({', '.join([*map(_written, message.args), *named])})"


def shortened(text: str, width: int = WIDTH) -> str:
    """A text in one line of so many characters at most."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _row(delivery: Delivery, message: Message | None, now: float) -> Sequence[object]:
    age = None if delivery.sent_at is None else seconds(max(0.0, now - delivery.sent_at))
    call = shortened(call_of(delivery, message))
    return (message.id if message else delivery.id, call, delivery.receive_count, age)


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
