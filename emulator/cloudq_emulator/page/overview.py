"""The first view: the clock, the queues, the requests as they come, functions, faults."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from cloudq_emulator.page.functions import functions
from cloudq_emulator.page.html import Markup, button, element, field, form, live, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudq_emulator.clock import MovableClock
    from cloudq_emulator.faults import Faults
    from cloudq_emulator.page.recent import Seen
    from cloudq_emulator.sqs.engine.queue import Queue

_STEPS: Final = (("+ 1 minute", 60), ("+ 1 hour", 3600), ("+ 12 hours", 43_200))
_REFUSED: Final = 400


def clock_view(clock: MovableClock) -> Markup:
    """The time, and buttons that move it."""
    state = "stands still" if clock.frozen else f"runs at {clock.scale:g} times" if clock.scale != 1 else ""
    shown = live(
        "clock", "Clock", element("time", moment(clock.now())), " ", element("span", state, class_="note")
    )
    steps = (form("clock", button(text), advance=seconds) for text, seconds in _STEPS)
    by = field(name="advance", type="number", min=0, step="any", placeholder="seconds", required=True)
    freeze = form("clock", button("go on" if clock.frozen else "freeze"), freeze=not clock.frozen)
    return Markup(shown + "".join(steps) + form("clock", by, button("advance")) + freeze)


def queues_view(queues: Iterable[Queue]) -> Markup:
    """All queues with what they hold."""
    rows = [_queue_row(queue) for queue in sorted(queues, key=lambda queue: queue.arn)]
    head = ("queue", "ready", "in flight", "delayed", "dead letters go to", "region", "account")
    return live("queues", "Queues", table(head, rows, "There are no queues."))


def requests_view(seen: Iterable[Seen]) -> Markup:
    """The latest requests, the newest first."""
    rows = [
        (
            element("time", moment(one.at)[11:23]),
            one.service,
            one.operation,
            one.queue,
            element("span", one.status or "no answer", class_="refused" if _is_bad(one.status) else None),
        )
        for one in seen
    ]
    head = ("at", "service", "operation", "queue", "status")
    return live("requests", "Requests", table(head, rows, "None since this page was first opened."))


def functions_view() -> Markup:
    """Functions, each with its last log lines."""
    rows = [(one.name, one.runtime, element("pre", "\n".join(one.lines))) for one in functions()]
    head = ("function", "runtime", "last log lines")
    return live("functions", "Functions", table(head, rows, "There are no Lambda functions."))


def faults_view(faults: Faults) -> Markup:
    """The faults that stand."""
    rows = [(fault.kind, fault.operation or fault.service, fault.queue, fault.hits) for fault in faults]
    head = ("fault", "strikes", "queue", "hits")
    return live("faults", "Faults", table(head, rows, "None was ordered."))


def link_to(queue: Queue) -> str:
    """A queue's own view."""
    return f"/_cloudq/page/queue?arn={quote(queue.arn)}"


def moment(at: float) -> str:
    """A time, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def _queue_row(queue: Queue) -> tuple[object, ...]:
    redrive = queue.settings.redrive
    return (
        element("a", queue.name, href=link_to(queue)),
        *(queue.ready_count, queue.leased_count, queue.delayed_count),
        redrive.target.rpartition(":")[2] if redrive else "",
        *(queue.region, queue.account),
    )


def _is_bad(status: int) -> bool:
    return not status or status >= _REFUSED
