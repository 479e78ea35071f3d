"""What commands print when all went well: plain columns for people, one document for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

__all__ = ["counted", "instant", "masked", "print_json", "print_table", "seconds"]

_GAP = "  "
_SECRETS = (
    (re.compile(r"(://[^/?#:@]*):[^/?#]*@"), r"\1:***@"),
    (re.compile(r"://[^/?#:@]+@"), "://***@"),
    (re.compile(r"(?i)([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&]*"), r"\1***"),
)
"""What is a secret in a URL, and what is shown in its place."""


def print_json(document: object) -> None:
    """One JSON document; what JSON doesn't know is told as text."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns under a head; numbers stand to the right."""
    rows = list(rows)
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(head), *cells]) for column in range(len(head))]
    is_number = [
        bool(rows) and all(isinstance(row[column], int | float | None) for row in rows)
        for column in range(len(head))
    ]
    click.echo(click.style(_line(head, widths, is_number), bold=True))
    for line in cells:
        click.echo(_line(line, widths, is_number))


def counted(count: int, noun: str) -> str:
    """A number of things: `1 task`, `2 tasks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(value: float | None) -> str | None:
    """A duration for people: the two largest units."""
    if value is None:
        return None
    if value < 60:
        return f"{value:.0f} s"
    if value < 3600:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    if value < 86_400:
        return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"
    return f"{value // 86_400:.0f} d {value % 86_400 // 3600:.0f} h"


def instant(at: float) -> str:
    """Seconds since the epoch as RFC 3339, UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def masked(url: str) -> str:
    """A URL without its password and whatever looks like a secret in its query."""
    for pattern, hidden in _SECRETS:
        url = pattern.sub(hidden, url)
    return url


def _line(cells: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, is_number, strict=True)
    ]
    return _GAP.join(padded).rstrip()


def _text(value: Any) -> str:
    return "-" if value is None or value in ("", ()) else str(value)
