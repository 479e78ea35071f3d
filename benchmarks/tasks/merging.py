"""One broker's figures beside those of the others, which were measured before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.tasks.contenders import CONTENDERS


def merged(saved: Mapping[str, Any], fresh: Mapping[str, Any], broker: str) -> dict[str, Any]:
    """The results that were saved, with one broker's in place of those it had.

    Args:
        saved: What was measured before; may be empty.
        fresh: What was measured now, of `broker` alone.
        broker: Whose rows are replaced.
    """
    rest = [row for row in saved.get("rows", ()) if row["broker"].partition("-")[0] != broker]
    places = [contender.place for contender in CONTENDERS]
    rows = sorted([*rest, *fresh["rows"]], key=lambda row: places.index(row["broker"]))
    return {**saved, **fresh, "rows": rows}
