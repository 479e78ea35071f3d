"""Bar charts as SVG, the same for all parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_COLOURS: Final = ("#2563eb", "#94a3b8", "#f59e0b", "#10b981", "#ef4444", "#8b5cf6", "#14b8a6")


def bars(
    path: Path,
    title: str,
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    unit: str,
    log: bool,
    digits: int = 0,
) -> None:
    """Write a chart of horizontal bars.

    Args:
        path: Where to.
        title: What it shows.
        groups: One group of bars each.
        series: For each name its values, one for each group.
        unit: What the values are in.
        log: Whether the axis is logarithmic.
        digits: How many figures after the point are shown.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "cloudq"  # the same picture for the same figures
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.24 * len(groups) * (len(series) + 1)))
    height = 1 / (len(series) + 1)
    for number, (name, values) in enumerate(series.items()):
        places = [group + number * height for group in range(len(groups))]
        drawn = axes.barh(places, values, height, label=name, color=_COLOURS[number % len(_COLOURS)])
        axes.bar_label(drawn, [f"{value:,.{digits}f}" for value in values], padding=3, fontsize=8)
    axes.set_yticks([group + height * (len(series) - 1) / 2 for group in range(len(groups))], groups)
    axes.invert_yaxis()
    axes.set_xscale("log" if log else "linear")
    axes.set_xlabel(unit)
    axes.set_title(title, loc="left", pad=28)
    axes.margins(x=0.15, y=0.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(series))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
