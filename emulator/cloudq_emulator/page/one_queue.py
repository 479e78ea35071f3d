"""A queue's own view: what it holds, what can be done to it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from cloudq_emulator.page.html import Markup, button, element, field, form, live, table
from cloudq_emulator.page.overview import moment
from cloudq_emulator.sqs.engine.settings import SETTABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.engine.queue import Queue

_SHOWN: Final = 100
"""Messages that are shown: the oldest."""
_BODY: Final = 4_000
"""Characters of a body that are shown."""


def counts_view(queue: Queue) -> Markup:
    """How many messages there are."""
    counts = (queue.ready_count, queue.leased_count, queue.delayed_count)
    return live("counts", "Messages", table(("ready", "in flight", "delayed"), [counts], ""))


def messages_view(queue: Queue) -> Markup:
    """The oldest messages, looked at and not received."""
    rows = [_message_row(message) for message in itertools.islice(queue, _SHOWN)]
    head = ("state", "body", "sent", "received", "attributes")
    return live(
        "messages", f"The oldest {_SHOWN}, not received by being shown", table(head, rows, "It is empty.")
    )


def actions_view(queue: Queue, sources: Sequence[Queue]) -> Markup:
    """Send one, purge, redrive."""
    fields: list[Markup] = []
    if queue.settings.is_fifo:
        fields = [
            field(name="MessageGroupId", placeholder="group", required=True),
            field(name="MessageDeduplicationId", placeholder="deduplication id"),
        ]
    body = element("textarea", name="MessageBody", placeholder="a message's body", required=True)
    send = element("div", form("send", body, *fields, button("send"), arn=queue.arn), class_="wide")
    purge = form("purge", button("purge"), arn=queue.arn)
    names = ", ".join(source.name for source in sources)
    redrive = form("redrive", button(f"redrive to {names}"), arn=queue.arn) if sources else ""
    return element("section", send, purge, redrive)


def attributes_view(queue: Queue) -> Markup:
    """What was set."""
    written = ((name, queue.settings.written(name)) for name in SETTABLE)
    rows = [(name, element("code", value)) for name, value in written if value is not None]
    tags = [(f"tag {name}", value) for name, value in queue.tags.items()]
    return live("attributes", "Attributes", table(("attribute", "value"), [*rows, *tags], ""))


def _message_row(message: Message) -> tuple[object, ...]:
    cut = "" if len(message.body) <= _BODY else f" … {len(message.body)} characters"
    group = [f"group {message.group}"] if message.group else []
    attributes = [
        f"{name}: {value.get('StringValue', 'binary')}" for name, value in (message.attributes or {}).items()
    ]
    return (
        "in flight" if message.state == "leased" else message.state,
        element("pre", message.body[:_BODY] + cut),
        element("time", moment(message.sent_at)[:19]),
        message.receive_count,
        element("pre", "\n".join([*group, *attributes])),
    )
