"""Messages as rows, and rows as deliveries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cloudq.delivery import Delivery, Outgoing, Reason, Release


def row(queue: int, message: Outgoing, now: float, *, is_fifo: bool) -> dict[str, Any]:
    """What `sql.SEND` takes."""
    return {
        "queue": queue,
        "due_at": now + message.delay,
        "sent_at": now,
        "message_id": message.id,
        "group_id": message.group,
        "fifo_group": (message.group or message.id) if is_fifo else None,
        "attributes": _text(message.attributes),
        "reason": None,
        "body": message.body,
    }


def buried(queue: int, taken: tuple[Any, ...], reason: Reason, now: float) -> dict[str, Any]:
    """What `sql.SEND` takes, of what `sql.TAKE_OUT` gave."""
    _, fifo_group, sent_at, message_id, group_id, attributes, body = taken
    return {
        "queue": queue,
        "due_at": now,
        "sent_at": sent_at,
        "message_id": message_id,
        "group_id": group_id,
        "fifo_group": fifo_group,
        "attributes": attributes,
        "reason": json.dumps(asdict(reason)),
        "body": body,
    }


def delivery(queue: str, leased: tuple[Any, ...], file: int) -> Delivery:
    """Of what `sql.LEASE` or `sql.PEEK` gave, of the how manieth file of that name: see `Database`."""
    number, lease_count, receive_count, message_id, body, group, sent_at, attributes, reason = leased
    try:
        said: dict[str, str] = json.loads(attributes) if attributes else {}
        why = Reason(**json.loads(reason)) if reason else None
        if (type(body), type(message_id), type(said)) != (bytes, str, dict):
            return _foreign(queue, leased, file)
        sent = float(sent_at)  # RETURNING may give a whole number as an integer
    except (TypeError, ValueError):
        return _foreign(queue, leased, file)
    receipt = f"{number}-{lease_count}-{file}" if lease_count else ""
    return Delivery(queue, message_id, body, receipt, receive_count, group, sent, said, why)


def _foreign(queue: str, leased: tuple[Any, ...], file: int) -> Delivery:
    """Of a row that another program wrote. It must not stand in the way of those behind it."""
    number, lease_count, receive_count, message_id, body, *_ = leased
    return Delivery(
        queue=queue,
        id=message_id if isinstance(message_id, str) else f"row {number}",
        body=body if isinstance(body, bytes) else str(body).encode(errors="replace"),
        receipt=f"{number}-{lease_count}-{file}" if lease_count else "",
        receive_count=receive_count if isinstance(receive_count, int) else 0,
    )


def released(release: Release, now: float, file: int) -> tuple[Any, ...]:
    """What `sql.RELEASE` takes."""
    uncounted = 0 if release.is_counted else 1
    return (now + release.delay, release.body, uncounted, *held(release.delivery, file), now)


def held(delivery: Delivery, file: int) -> tuple[int, int]:
    """The row and the lease that a receipt stands for; none that there is where it is of another file."""
    number, lease_count, of = delivery.receipt.split("-")
    return (int(number), int(lease_count)) if of == str(file) else (0, 0)


def _text(attributes: Mapping[str, str]) -> str | None:
    return json.dumps(dict(attributes)) if attributes else None
