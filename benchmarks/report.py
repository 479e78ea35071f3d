"""From figures to pages: tables on the terminal, JSON in benchmarks/results, docs/benchmarks.md with plots.

Each part of the benchmarks is a folder here with a `shown.py`, which makes tables and plots of its results,
and an `about.md`, the prose around them.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

_HERE: Final = Path(__file__).parent
_RESULTS: Final = _HERE / "results"
_DOCS: Final = _HERE.parent / "docs"
PARTS: Final = ("tasks", "requests", "client", "footprint", "emulator", "instructions")
"""In the order of the page."""

_WIDTH: Final = 150
"""Columns that the widest table needs."""
_INTRODUCTION: Final = """\
# Benchmarks

Written by `make bench`, or part by part by the command that each part names; the figures themselves are in
`benchmarks/results/`. Absolute figures move with the machine. What counts is how those of one run compare.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Args:
        title: What it shows.
        header: The columns' names.
        rows: Cells, ready to be shown.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


class Shown(Protocol):
    """What a part's `shown.py` has."""

    def tables(self, results: Mapping[str, Any]) -> Sequence[Table]:
        """The tables of its results."""
        ...

    def plot(self, results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
        """Write plots into a folder; answers each one's file name and what it shows."""
        ...


def show(part: str, results: Mapping[str, Any]) -> None:
    """Print one part's results.

    Args:
        part: The part's name, one of the folders here.
        results: What its `shown.py` understands.
    """
    for table in _shown(part).tables(results):
        _print(table)


def saved(part: str) -> dict[str, Any]:
    """One part's results that were kept; empty where there are none."""
    return json.loads(_path(part).read_text()) if _path(part).exists() else {}


def save(part: str, results: Mapping[str, Any]) -> None:
    """Keep one part's results in `benchmarks/results`, and write `docs/benchmarks.md` anew."""
    _RESULTS.mkdir(exist_ok=True)
    _path(part).write_text(json.dumps(results, indent=1) + "\n")
    write()


def write() -> None:
    """Write docs/benchmarks.md from all the results there are."""
    parts = [_page(part) for part in PARTS if _path(part).exists()]
    (_DOCS / "benchmarks.md").write_text("\n".join([_INTRODUCTION, *parts]))


def tables(part: str) -> Sequence[str]:
    """One part's tables, as they are in docs/benchmarks.md; none where nothing was kept."""
    results = saved(part)
    return [_markdown(table) for table in _shown(part).tables(results)] if results else []


def _page(part: str) -> str:
    results, shown = saved(part), _shown(part)
    (_DOCS / "benchmarks").mkdir(exist_ok=True)
    plots = shown.plot(results, _DOCS / "benchmarks")
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    about = (_HERE / part / "about.md").read_text()
    pictures = "\n".join(f"![{title}](benchmarks/{name})\n" for name, title in plots)
    body = "\n".join(tables(part))
    return f"{about}\nMeasured on: {machine}.\n\n{pictures}\n{body}"


def _markdown(table: Table) -> str:
    ruler = ["---", *("--:" for _ in table.header[1:])]
    lines = [f"| {' | '.join(row)} |" for row in (table.header, ruler, *table.rows)]
    return f"### {table.title}\n\n" + "\n".join(lines) + "\n"


def _print(table: Table) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable

    shown = RichTable(title=table.title, title_justify="left")
    for number, name in enumerate(table.header):
        shown.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*row)
    Console(width=max(Console().width, _WIDTH)).print(shown)


def _path(part: str) -> Path:
    return _RESULTS / f"{part}.json"


def _shown(part: str) -> Shown:
    return importlib.import_module(f"benchmarks.{part}.shown")  # pyright: ignore[reportReturnType] - a module


if __name__ == "__main__":
    write()
