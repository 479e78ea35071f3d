"""The contest's figures as a table and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plots import bars
from benchmarks.report import Table

_NAMES = {
    "sqlite": "SQLite",
    "sqs": "SQS through the emulator",
    "redis": "Redis",
    "rabbitmq-quorum": "RabbitMQ, quorum queues",
    "rabbitmq-classic": "RabbitMQ, classic queues",
}


def tables(results: Mapping[str, Any]) -> Sequence[Table]:
    """One table for each broker; cloudq comes first in each, and the others are held against it."""
    brokers = dict.fromkeys(row["broker"] for row in results["rows"])
    return [_table(broker, results) for broker in brokers]


def plot(results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
    """How fast each drains and sends."""
    groups = [f"{row['title']}\n{row['broker']}" for row in results["rows"]]
    series = {
        "drained": [row["drained"] for row in results["rows"]],
        "sent one by one": [row["sent"] for row in results["rows"]],
        "sent with one call": [row["sent_many"] or 0.0 for row in results["rows"]],
    }
    title = "No-op tasks a second, two children"
    bars(folder / "tasks.svg", title, groups, series, unit="tasks/s", log=True)
    return [("tasks.svg", title)]


def _table(broker: str, results: Mapping[str, Any]) -> Table:
    rows = [row for row in results["rows"] if row["broker"] == broker]
    ours = rows[0]
    header = (
        "task queue", "drained", "cloudq to it", "sent one by one", "cloudq to it", "sent with one call",
        "worker's CPU a task",
    )  # fmt: skip
    has_more = bool(ours.get("ages"))
    if has_more:
        header = (*header, "call to run, p50", "p99", "50 ms each, 50 at once")
    cells = [
        (
            row["title"],
            f"{row['drained']:,.0f}/s",
            f"{ours['drained'] / row['drained']:.1f}",
            f"{row['sent']:,.0f}/s",
            f"{ours['sent'] / row['sent']:.1f}",
            f"{row['sent_many']:,.0f}/s" if row["sent_many"] else "–",  # noqa: RUF001 - a dash for none
            f"{row['cpu'] * 1e6:,.0f} µs",
            *(_more(row) if has_more else ()),
        )
        for row in rows
    ]
    name = _NAMES[broker]
    return Table(f"{name}, {results['tasks']:,} no-op tasks", header, cells)


def _more(row: Mapping[str, Any]) -> tuple[str, ...]:
    naps = f"{row['naps']:,.0f}/s" if row["naps"] else "–"  # noqa: RUF001 - a dash for none
    return (*(f"{age / 1000:,.2f} ms" for age in row["ages"]), naps)
