from __future__ import annotations

import pytest

from cloudq.cli.status_line import StatusLine, fitted
from cloudq.worker.tally import Pace, Tally


def tally(at: float = 100.0, **numbers) -> Tally:
    nothing = {"slots": 4, "running": 0, "prefetched": 0, "unsettled": 0, "done": 0, "retried": 0, "dead": 0}
    return Tally(at=at, began_at=0.0, **{**nothing, **numbers})


def text(columns: int = 200, pace: float = 0.0, queues=("emails",), **numbers) -> str:
    pieces = StatusLine("shop", queues).pieces(tally(**numbers), pace)
    return "".join(piece.text for piece in fitted(pieces, columns))


def test_pace_follows_the_last_seconds():
    pace = Pace()

    told = [pace.after(tally(at=float(at), done=min(at, 10) * 100)) for at in range(20)]

    assert told[0] == 0.0
    assert told[1:11] == [100.0] * 10
    assert told[12] == pytest.approx(60.0)
    assert told[19] == 0.0


def test_pace_is_right_when_looks_are_late():
    pace = Pace()
    pace.after(tally(at=0.0, done=0))

    assert pace.after(tally(at=60.0, done=600)) == 10.0


def test_pace_of_two_looks_at_one_moment_is_none():
    pace = Pace()
    pace.after(tally(at=1.0, done=0))

    assert pace.after(tally(at=1.0, done=5)) == 0.0


def test_line_says_what_the_worker_does():
    line = text(at=65.0, running=2, prefetched=12, done=1234, pace=210.4, queues=("emails", "reports"))

    assert line == (
        "shop · 2/4 running · 12 prefetched · 1,234 done · 210/s · emails, reports · up 1 min 5 s"
    )


def test_line_tells_of_what_went_wrong_only_where_something_did():
    assert "retried" not in text(dead=0)
    assert "3 retried · 1 dead" in text(retried=3, dead=1)


def test_line_tells_paused_queues_from_others():
    line = text(queues=("emails", "reports"), paused=frozenset(["reports"]))

    assert "paused: reports · emails" in line


def test_line_counts_queues_beyond_a_few():
    assert "q0, q1, q2 and 7 more" in text(queues=[f"q{number}" for number in range(10)])


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"running": 2, "stop_at": 107.4}, "stopping, 7 s left · 2/4 running"),
        ({"unsettled": 3, "stop_at": 107.4}, "stopping, 3 to settle"),
        ({"running": 1, "unsettled": 3, "stop_at": 99.0}, "stopping, 3 to settle"),
        ({"stop_at": 107.4}, "stopping · 0/4 running"),
    ],
)
def test_line_says_what_a_stop_waits_for(numbers, said):
    assert said in text(**numbers)


def test_narrow_line_keeps_what_matters_most():
    numbers = {"running": 2, "done": 1234, "dead": 1, "pace": 5.0}

    assert text(45, **numbers) == "2/4 running · 1,234 done · 5.0/s · 1 dead"
    assert text(26, **numbers) == "2/4 running · 1,234 done"
    assert text(12, **numbers) == "2/4 running"
    assert text(5, **numbers) == "2/4 r"


@pytest.mark.parametrize("columns", range(1, 120))
def test_line_never_exceeds_its_columns(columns):
    wide = text(columns, queues=("レポート",), paused=frozenset(["レポート"]), retried=1, dead=1)

    assert sum(2 if character > "\u2fff" else 1 for character in wide) <= columns
