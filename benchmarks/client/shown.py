"""Requests a second of one process as a table and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plots import bars
from benchmarks.report import Table


def tables(results: Mapping[str, Any]) -> Sequence[Table]:
    """One row for each client; boto3 comes first, and what others come to is held against it."""
    header = ("client", "SendMessageBatch", "to boto3", "CPU each", "boto3's CPU to it")
    first = results["rows"][0]
    rows = [
        (
            row["name"],
            f"{row['per_second']:,.0f}/s",
            f"{row['per_second'] / first['per_second']:.1f}",
            f"{row['cpu'] * 1e6:,.0f} µs",
            f"{first['cpu'] / row['cpu']:.1f}",
        )
        for row in results["rows"]
    ]
    return [Table("Requests of one process to SQS", header, rows)]


def plot(results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
    """One bar for each client."""
    names = [row["name"] for row in results["rows"]]
    series = {"SendMessageBatch": [row["per_second"] for row in results["rows"]]}
    title = "Requests of one process to SQS"
    bars(folder / "client.svg", title, names, series, unit="requests/s", log=False)
    return [("client.svg", title)]
