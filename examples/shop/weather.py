"""Plots of a year's weather, from a table of days."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES, DOTS_PER_INCH = (10, 6), 96
MONTHS = "JFMAMJJASOND"
SKIES = {"sun": "#f2b632", "fog": "#a9b4bf", "drizzle": "#8fc1e3", "rain": "#3a7ca5", "snow": "#dfe7f0"}


@dataclass(frozen=True, slots=True)
class Day:
    """One day: temperatures in °C, rain in mm, what the sky was like."""

    on: date
    low: float
    high: float
    rain: float
    sky: str


def read_year(table: Path, year: int) -> list[Day]:
    """The days of one year."""
    with table.open(encoding="utf-8", newline="") as lines:
        days = [_day(row) for row in csv.DictReader(lines)]
    return [day for day in days if day.on.year == year]


def plot(days: Sequence[Day], title: str, target: Path) -> Path:
    """Draw temperatures, rain and skies on one page."""
    from matplotlib.figure import Figure  # half a second that only those who draw should wait

    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    areas = figure.subplot_mosaic("tt;rs", height_ratios=(3, 2))
    figure.suptitle(title, fontweight="bold")
    _temperatures(areas["t"], days)
    _rain(areas["r"], days)
    _skies(areas["s"], days)
    for area in areas.values():
        area.spines[["top", "right"]].set_visible(False)
    part = target.with_suffix(f".{id(figure)}.part")
    figure.savefig(part, format="png")
    return part.replace(target)


def _temperatures(area: Axes, days: Sequence[Day]) -> None:
    at = range(len(days))
    area.fill_between(
        at, [day.low for day in days], [day.high for day in days], color="#f4a582", alpha=0.55, lw=0
    )
    area.plot(at, _smooth([(day.low + day.high) / 2 for day in days]), color="#b2182b", lw=1.6)
    firsts = [day for day in at if days[day].on.day == 1]
    area.set(title="Lowest to highest, and the mean of 15 days (°C)", xlim=(0, len(days) - 1))
    area.set_xticks(firsts, MONTHS[: len(firsts)])


def _rain(area: Axes, days: Sequence[Day]) -> None:
    months = [sum(day.rain for day in days if day.on.month == month) for month in range(1, 13)]
    area.bar(range(12), months, color="#3a7ca5")
    area.set(title="Rain a month (mm)", xticks=range(12), xticklabels=MONTHS)


def _skies(area: Axes, days: Sequence[Day]) -> None:
    below = [0] * 12
    for sky, colour in SKIES.items():
        counts = [sum(day.sky == sky and day.on.month == month for day in days) for month in range(1, 13)]
        area.bar(range(12), counts, bottom=below, color=colour, label=sky)
        below = [under + count for under, count in zip(below, counts, strict=True)]
    area.set(title="Skies (days a month)", xticks=range(12), xticklabels=MONTHS)
    area.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize="small")


def _smooth(values: Sequence[float], reach: int = 7) -> list[float]:
    windows = (values[max(0, at - reach) : at + reach + 1] for at in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def _day(row: dict[str, str]) -> Day:
    return Day(
        on=date.fromisoformat(row["date"].replace("/", "-")),
        low=float(row["temp_min"]),
        high=float(row["temp_max"]),
        rain=float(row["precipitation"]),
        sky=row["weather"],
    )
