"""Memory and imports as tables and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.plots import bars
from benchmarks.report import Table

_MEGA: Final = 1e6
_NONE: Final = "–"  # noqa: RUF001 - a dash for none


def tables(results: Mapping[str, Any]) -> Sequence[Table]:
    """Memory of each worker; then what each import costs."""
    few, many = results["counts"]
    header = (
        "task queue", "processes", "started, PSS", f"RSS after {few:,} tasks", f"after {many:,}", "more",
    )  # fmt: skip
    rows = [
        (row["title"], f"{row['processes']}", _megabytes(row["idle"]), *_after(row["after"]))
        for row in results["memory"]
    ]
    columns = ("statement", "CPU beyond a bare interpreter", "modules of its own", "Python's", "others'")
    imports = [
        (
            f"`{row['statement']}`",
            f"{row['seconds'] * 1000:.1f} ms",
            *(f"{row[whose]}" for whose in ("own", "stdlib", "others")),
        )
        for row in results["imports"]
    ]
    return [Table("Memory of a worker with two processes", header, rows), Table("Imports", columns, imports)]


def plot(results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
    """One bar for each worker."""
    titles = [row["title"] for row in results["memory"]]
    series = {"PSS": [row["idle"] / _MEGA for row in results["memory"]]}
    title = "Memory of a worker with two processes that has started"
    bars(folder / "footprint.svg", title, titles, series, unit="MB", log=False)
    return [("footprint.svg", title)]


def _after(figures: Sequence[int]) -> Sequence[str]:
    if not figures:
        return [_NONE] * 3
    few, many = figures
    return [_megabytes(few), _megabytes(many), _megabytes(many - few)]


def _megabytes(count: int) -> str:
    return f"{count / _MEGA:.1f} MB"
