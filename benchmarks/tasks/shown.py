"""The contest's figures as tables and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.plots import bars
from benchmarks.report import Table

_NONE: Final = "–"  # noqa: RUF001 - a dash for none
_NAMES: Final = {
    "sqlite": "SQLite",
    "sqs": "SQS through the emulator",
    "redis": "Redis",
    "rabbitmq-quorum": "RabbitMQ, quorum queues",
    "rabbitmq-classic": "RabbitMQ, classic queues",
}
_DRAINING: Final = (
    "task queue", "tasks", "drained", "cloudq to it", "sent one by one", "cloudq to it", "sent with one call",
    "cloudq to it", "worker's CPU a task",
)  # fmt: skip


def tables(results: Mapping[str, Any]) -> Sequence[Table]:
    """Tables for each broker; cloudq comes first in each, and the others are held against it."""
    rows = results["rows"]
    by_broker = {name: [row for row in rows if row["broker"] == name] for name in _NAMES}
    return list(_tables({name: mine for name, mine in by_broker.items() if mine}, results))


def _tables(
    by_broker: Mapping[str, Sequence[Mapping[str, Any]]], results: Mapping[str, Any]
) -> Iterator[Table]:
    for broker, rows in by_broker.items():
        yield _draining(broker, rows)
        if any(row["ages"] for row in rows):
            yield _waiting(broker, rows)
        if broker == "sqlite" and "syncs" in results:
            yield _syncs(rows, results["syncs"])
    if {"rabbitmq-quorum", "rabbitmq-classic"} <= set(by_broker):
        yield _quorum(by_broker["rabbitmq-quorum"], by_broker["rabbitmq-classic"])


def plot(results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
    """How fast each drains and sends."""
    groups = [f"{row['title']}\n{row['broker']}" for row in results["rows"]]
    series = {
        "drained": [row["drained"] for row in results["rows"]],
        "sent one by one": [row["sent"] for row in results["rows"]],
        "sent with one call": [row["sent_many"] or 0.0 for row in results["rows"]],
    }
    title = "No-op tasks a second, two processes"
    bars(folder / "tasks.svg", title, groups, series, unit="tasks/s", log=True)
    return [("tasks.svg", title)]


def _draining(broker: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    ours = rows[0]
    cells = [
        (
            row["title"],
            f"{row['count']:,}",
            *_rate(ours, row, "drained"),
            *_rate(ours, row, "sent"),
            *_rate(ours, row, "sent_many"),
            f"{row['cpu'] * 1e6:,.0f} µs",
        )
        for row in rows
    ]
    return Table(f"{_NAMES[broker]}, no-op tasks, {max(row['date'] for row in rows)}", _DRAINING, cells)


def _rate(ours: Mapping[str, Any], row: Mapping[str, Any], figure: str) -> tuple[str, str]:
    if not row[figure]:
        return _NONE, _NONE
    return f"{row[figure]:,.0f}/s", f"{ours[figure] / row[figure]:.1f}" if ours[figure] else _NONE


def _waiting(broker: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    header = ("task queue", "call to run, p50", "p99", "50 ms each, 50 at once")
    cells = [
        (
            row["title"],
            *(f"{age / 1000:,.2f} ms" for age in row["ages"]),
            f"{row['naps']:,.0f}/s" if row["naps"] else _NONE,
        )
        for row in rows
        if row["ages"]
    ]
    return Table(f"{_NAMES[broker]}, tasks that come one by one, and tasks that wait", header, cells)


def _syncs(rows: Sequence[Mapping[str, Any]], syncs: float) -> Table:
    header = ("what", "a second", "of the disk's")
    full = [
        (f"{row['title']}, sent one by one", row["sent"]) for row in rows if row["title"].endswith("FULL")
    ]
    cells = [
        (what, f"{rate:,.0f}", f"{rate / syncs:.2f}") for what, rate in [("fdatasync alone", syncs), *full]
    ]
    return Table("SQLite, forced to the disk at each send", header, cells)


def _quorum(quorum: Sequence[Mapping[str, Any]], classic: Sequence[Mapping[str, Any]]) -> Table:
    header = ("task queue", "drained", "sent one by one", "sent with one call")
    others = {row["title"]: row for row in classic}
    cells = [
        (
            row["title"],
            *(
                f"{row[figure] / others[row['title']][figure]:.2f}" if row[figure] else _NONE
                for figure in ("drained", "sent", "sent_many")
            ),
        )
        for row in quorum
        if row["title"] in others
    ]
    return Table("RabbitMQ, a quorum queue's rate by a classic one's", header, cells)
