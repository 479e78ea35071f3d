"""Messages as AMQP carries them: what travels in which header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

from cloudq.brokers.rabbitmq.frames import Content, Properties, ProtocolError
from cloudq.delivery import Delivery, Outgoing, Reason

__all__ = ["copied", "delivery", "properties_of", "read", "received_before"]

COUNT, GROUP, REASON = "cloudq-count", "cloudq-group", "cloudq-reason"
"""Receives before this copy was sent; the group; why it is dead."""

_DELIVERIES, _ACQUISITIONS, _DEATHS = "x-delivery-count", "x-acquired-count", "x-death"
_SERVERS_OWN = (_DEATHS, _DELIVERIES, _ACQUISITIONS, "x-first-death-", "x-last-death-")
_NO_ATTRIBUTES = ("cloudq-", *_SERVERS_OWN)

_LONGEST_TEXT, _LONGEST_TRACEBACK = 4_000, 16_000
"""Characters of a reason that are kept: all headers must fit into one frame of 128 KiB."""


def properties_of(message: Outgoing, now: float) -> Properties:
    """What travels beside a message's body."""
    headers: Mapping[str, Any] = message.attributes
    if message.group is not None:
        headers = {**headers, GROUP: message.group}
    return Properties(message.id, headers, now)


def read(content: Content) -> Properties:
    """A message's properties; without any where they can't be read, so that its body can be judged."""
    try:
        return Properties.decode(content.properties)
    except ProtocolError:
        return Properties("", {})


def received_before(properties: Properties, *, is_redelivered: bool) -> int:
    """How often a message was delivered before.

    A quorum queue counts; from 4.3 on `x-delivery-count` leaves out what was given back by nack, and
    `x-acquired-count` doesn't. A classic queue says no more than that there was a delivery. Source: RabbitMQ,
    Quorum Queues, poison message handling, read 2026-11.
    """
    headers = properties.headers
    counted = max(_number(headers.get(_DELIVERIES)), _number(headers.get(_ACQUISITIONS)))
    if not counted and is_redelivered:
        counted = 1
    return counted + _number(headers.get(COUNT))


def delivery(queue: str, receipt: str, content: Content, receive_count: int, found: Properties) -> Delivery:
    """A delivery of what came."""
    headers = found.headers
    name = found.id or "body-" + hashlib.sha256(content.body).hexdigest()[:16]
    if len(headers) <= 1 and (not headers or _DELIVERIES in headers):
        return Delivery(queue, name, content.body, receipt, receive_count, None, found.sent_at)
    group = headers.get(GROUP)
    return Delivery(
        queue=queue,
        id=name,
        body=content.body,
        receipt=receipt,
        receive_count=receive_count,
        group=group if isinstance(group, str) else None,
        sent_at=found.sent_at,
        attributes={
            key: value
            for key, value in headers.items()
            if isinstance(value, str) and not key.startswith(_NO_ATTRIBUTES)
        },
        reason=_reason(headers),
    )


def copied(found: Properties, receive_count: int, reason: Reason | None = None) -> Properties:
    """The properties of a message's copy, which has been received so often.

    The server's own headers stay behind: it drops a message that seems to go in a circle by its `x-death`.
    """
    headers = {key: value for key, value in found.headers.items() if not key.startswith(_SERVERS_OWN)}
    headers.pop(COUNT, None)
    if receive_count:
        headers[COUNT] = receive_count
    if reason is not None:
        headers[REASON] = _text(reason)
    return replace(found, headers=headers)


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _text(reason: Reason) -> str:
    short = replace(
        reason,
        text=reason.text[:_LONGEST_TEXT],
        error=reason.error[:_LONGEST_TEXT],
        traceback=reason.traceback[-_LONGEST_TRACEBACK:],
    )
    return json.dumps(asdict(short), ensure_ascii=False)


def _reason(headers: Mapping[str, Any]) -> Reason | None:
    text = headers.get(REASON)
    if isinstance(text, str):
        try:
            return Reason(**json.loads(text))
        except (ValueError, TypeError):
            return Reason("unknown", f"Its reason can't be read: {text[:200]}")
    deaths = headers.get(_DEATHS)
    for death in cast("list[Any]", deaths) if isinstance(deaths, list) else []:
        if isinstance(death, dict) and (death := cast("dict[str, Any]", death)).get("reason") in _BY_SERVER:
            why = _BY_SERVER[str(death["reason"])]
            return Reason(why[0], why[1], queue=str(death.get("queue", "")))
    return None


_BY_SERVER = {
    "delivery_limit": ("poison", "RabbitMQ gave it up: its queue's delivery limit was reached."),
    "rejected": ("rejected", "A consumer rejected it."),
    "expired": ("expired", "Its time to live on RabbitMQ, which its sender or a policy set, had ended."),
    "maxlen": ("dropped", "RabbitMQ dropped it, as its queue was longer than a policy allows."),
}
