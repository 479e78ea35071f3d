from __future__ import annotations

from cloudq.backends.memory import connect
from cloudq.clock import FakeClock
from cloudq.results import Record, ResultStore
from cloudq.testing.steps import PATIENCE, in_thread


def test_a_result_that_comes_between_reading_and_waiting_is_not_missed():
    clock = FakeClock()
    store = ResultStore(connect("memory://", clock=clock), expires=60, clock=clock)
    store.save({"1": Record(state="SUCCESS", task="t")})
    results = store.wait(["1", "2"], timeout=60)
    first, _ = next(results)
    store.save({"2": Record(state="SUCCESS", task="t")})

    second, _ = in_thread(lambda: next(results)).result(PATIENCE)

    assert (first, second) == ("1", "2")
