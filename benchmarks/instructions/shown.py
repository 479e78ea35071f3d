"""The counts as a table and a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.plots import bars
from benchmarks.report import Table


def tables(results: Mapping[str, Any]) -> Sequence[Table]:
    """One row for each operation."""
    rows = [(row["name"], f"{row['instructions']:,.0f}") for row in results["rows"]]
    return [Table("Instructions of one operation", ("operation", "instructions"), rows)]


def plot(results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
    """One bar for each operation."""
    names = [row["name"].replace("`", "") for row in results["rows"]]
    series = {"instructions": [row["instructions"] for row in results["rows"]]}
    title = "Instructions of one operation"
    bars(folder / "instructions.svg", title, names, series, unit="instructions", log=False)
    return [("instructions.svg", title)]
