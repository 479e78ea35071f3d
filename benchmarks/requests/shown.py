"""Requests for a task, and in idle minutes, as tables and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plots import bars
from benchmarks.report import Table


def tables(results: Mapping[str, Any]) -> Sequence[Table]:
    """One row for each load of each task queue, and one for each that is idle."""
    header = ("tasks", "task queue", "requests a task", "sending", "receiving", "deleting and the rest")
    rows = [(row["load"], row["title"], *_cells(row)) for row in results["rows"]]
    idle = [(row["title"], f"{row['a_minute']:.2f}") for row in results["idle"]]
    return [
        Table("Requests to SQS for a task", header, rows),
        Table(
            f"Requests of an idle worker, counted for {results['idle_seconds']:,.0f} seconds",
            ("task queue", "a minute"),
            idle,
        ),
    ]


def plot(results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
    """One bar for each load of each task queue."""
    loads = list(dict.fromkeys(row["load"] for row in results["rows"]))
    titles = list(dict.fromkeys(row["title"] for row in results["rows"]))
    figures = {(row["load"], row["title"]): row.get("all", 0.0) for row in results["rows"]}
    series = {title: [figures[load, title] for load in loads] for title in titles}
    title = "Requests to SQS for a task"
    bars(folder / "requests.svg", title, loads, series, unit="requests", log=False, digits=2)
    return [("requests.svg", title)]


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    if "stalled" in row:
        return (row["stalled"], "", "", "")
    rest = row["all"] - row["sending"] - row["receiving"]
    return [f"{figure:.3f}" for figure in (row["all"], row["sending"], row["receiving"], rest)]
