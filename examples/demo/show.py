"""The terminal: progress while it runs, the table in the end. Plain lines where a terminal can't do more."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cloudq.clock import Clock
from examples.demo.audit import Findings, Row
from examples.demo.watching import Snapshot

_PLAIN_EVERY = 1.0
_PICTURE_WIDTH = 92


class Screen:
    """What the demo says. As a context it shows progress.

    Args:
        clock: Paces the plain lines.
    """

    def __init__(self, clock: Clock) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(
                errors="replace"
            )  # a terminal that can't show a letter is no reason to fail
        self._console = Console(highlight=False, soft_wrap=False)
        self._clock = clock
        self._began = clock.monotonic()
        self._live: Live | None = None
        self._said, self._said_at = "", 0.0
        self._frames: list[Snapshot] = []
        self._totals: Mapping[str, int] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str, style: str = "") -> None:
        """Print a line, with the seconds since the start."""
        self._console.print(Text(f"{self.seconds:5.1f} s  ", "dim") + Text(text, style), soft_wrap=True)

    def _say_news(self, text: str) -> None:
        if text != self._said:
            self.say(text)
            self._said, self._said_at = text, self.seconds

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock.monotonic() - self._began

    def expect(self, totals: Mapping[str, int]) -> None:
        """Say how many messages each queue got."""
        self._totals = totals

    def progress(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        self._frames.append(snapshot)
        if self._live is not None:
            self._live.update(_progress(snapshot, self._totals), refresh=True)
        elif self.seconds - self._said_at >= _PLAIN_EVERY:
            parts = (f"{queue} {snapshot.finished(queue)}/{total}" for queue, total in self._totals.items())
            self._say_news("  ".join(parts))

    def close(self, findings: Findings, output: Path) -> None:
        """The table, what is missing, where the outputs lie and what to try next."""
        _close(self._console, findings, output, self.seconds)

    def picture(self, path: Path, findings: Findings, output: Path) -> None:
        """Keep a picture of this run: the progress at its middle, and the close."""
        console = Console(
            record=True, width=_PICTURE_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False
        )
        console.print(Text("$ ", "dim") + Text("make demo", "bold"), "", sep="\n")
        console.print(_progress(self._halfway(), self._totals))
        _close(console, findings, output, self.seconds)
        drawn = console.export_svg(title="make demo")
        # Without the web font, so that the picture loads nothing from elsewhere.
        path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL), encoding="utf-8")

    def _halfway(self) -> Snapshot:
        half = sum(self._totals.values()) / 2
        return min(self._frames, key=lambda frame: abs(sum(map(frame.finished, self._totals)) - half))


def _progress(snapshot: Snapshot, totals: Mapping[str, int]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("queue", "", "waiting", "in hand", "done", "dead"):
        table.add_column(heading, justify="left" if heading in ("queue", "") else "right", header_style="dim")
    for queue, total in totals.items():
        depth = snapshot.depths[queue]
        done = snapshot.states[queue]["SUCCESS"]
        bar = ProgressBar(total=total, completed=snapshot.finished(queue), width=30, complete_style="cyan")
        waiting = depth.waiting + depth.delayed
        table.add_row(queue, bar, *(str(number) for number in (waiting, depth.leased, done, depth.dead)))
    return table


def _close(console: Console, findings: Findings, output: Path, seconds: float) -> None:
    console.print("", _table(findings), "", sep="\n")
    if findings.missing:
        for line in findings.missing:
            console.print(Text(f"missing: {line}", "red"), soft_wrap=True)
        end = Text(f"The demo failed after {seconds:.0f} s. Logs: {output / 'logs'}", "bold red")
        console.print("", end, sep="\n", soft_wrap=True)
    else:
        console.print(Text(f"Every number is what it should be, after {seconds:.0f} s.", "bold green"))
        console.print(*_where(output), sep="\n")


def _table(findings: Findings) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True, header_style="bold", footer_style="bold"
    )
    total = [sum(column) for column in zip(*(astuple(row) for row in findings.found.values()), strict=True)]
    table.add_column("queue", "all")
    for heading, number in zip(
        ("published", "done by worker", "done by Lambda", "retried", "dead"), total, strict=True
    ):
        table.add_column(heading, str(number), justify="right")
    for queue, row in findings.found.items():
        table.add_row(queue, *_cells(row, findings.expected[queue]))
    return table


def _cells(found: Row, expected: Row) -> Sequence[Text]:
    pairs = zip(astuple(found), astuple(expected), strict=True)
    return [
        Text(str(number)) if number == should else Text(f"{number}, not {should}", "red")
        for number, should in pairs
    ]


def _where(output: Path) -> list[RenderableType]:
    places = (
        ("index.html", "the page to open: pictures, plots, dead letters"),
        ("thumbnails/", "pictures; sheets/ and reports/ beside it"),
        ("inbox/", "the e-mails, as the mail server got them"),
        ("logs/", "what emulator, worker and functions said"),
    )
    commands = (
        ("cat examples/shop/tasks.py", "the tasks that ran"),
        ("DEMO_BREAK=worker make demo", "what it says when no worker runs"),
        (".venv/bin/cloudq emulate -- bash", "a shell with a cloud of its own"),
    )
    return [
        "",
        Text("Where the outputs lie", "bold"),
        _pairs(f"{output.name}/", places),
        "",
        Text("What to try next", "bold"),
        _pairs("", commands),
    ]


def _pairs(before: str, pairs: Sequence[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    for name, what in pairs:
        table.add_row(Text(f"  {before}{name}", "cyan"), Text(what))
    return table
