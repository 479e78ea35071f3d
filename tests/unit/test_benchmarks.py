from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.tasks.merging import merged

PAGE = Path(report.__file__).parents[1] / "docs" / "benchmarks.md"


def row(broker: str, title: str) -> dict[str, str]:
    return {"broker": broker, "title": title}


def test_figures_of_one_broker_replace_its_own_and_stand_among_the_others() -> None:
    saved = {
        "rows": [row("sqlite", "old"), row("redis", "old"), row("rabbitmq-quorum", "old")],
        "syncs": 7,
        "machine": "old",
    }

    together = merged(saved, {"rows": [row("redis", "new")], "machine": "new"}, "redis")

    assert together["rows"] == [row("sqlite", "old"), row("redis", "new"), row("rabbitmq-quorum", "old")]
    assert (together["syncs"], together["machine"]) == (7, "new")


def test_figures_of_rabbitmq_replace_those_of_both_kinds_of_queue() -> None:
    saved = {"rows": [row("rabbitmq-quorum", "old"), row("rabbitmq-classic", "old")]}

    together = merged(saved, {"rows": [row("rabbitmq-quorum", "new")]}, "rabbitmq")

    assert together["rows"] == [row("rabbitmq-quorum", "new")]


@pytest.mark.parametrize("part", report.PARTS)
def test_page_shows_the_figures_that_were_kept(part: str) -> None:
    page = PAGE.read_text()

    missing = [table for table in report.tables(part) if table not in page]

    assert not missing
