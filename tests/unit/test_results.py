"""What became of a message: the fence around its record, and the handle that waits for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

import cloudq
from cloudq.backends.memory import MemoryBackend
from cloudq.clock import Clock, FakeClock, SystemClock
from cloudq.errors import (
    BackendError,
    ConfigurationError,
    ResultError,
    ResultTimeoutError,
    TaskFailedError,
)
from cloudq.execution import Context, execute
from cloudq.results import FINAL, AsyncResult, GroupResult, Record, ResultStore, State

LONG = 20.0
"""Seconds that a thread is given to end, far more than it needs."""


def record(state: State = "SUCCESS", **fields: Any) -> Record:
    return Record(**{"state": state, "task": "do", **fields})


def store_on(backend: MemoryBackend, clock: Clock) -> ResultStore:
    return ResultStore(backend, expires=3600, clock=clock)


@pytest.fixture
def store(clock: FakeClock) -> ResultStore:
    return store_on(MemoryBackend(clock), clock)


def handle(store: ResultStore | None, id: str = "m1") -> AsyncResult[Any]:
    return AsyncResult(id, task="do", store=lambda: store, read=lambda value: value)


class TestFence:
    @pytest.mark.parametrize(
        ("present", "written", "wins"),
        [
            (record("PROGRESS"), record("SUCCESS"), True),
            (record("RETRY", attempt=1), record("SUCCESS", attempt=2), True),
            (record("RETRY", attempt=1), record("SUCCESS", attempt=1), True),
            (record("RETRY", attempt=1), record("PROGRESS", attempt=2), True),
            (record("RETRY", attempt=1), record("PROGRESS", attempt=1), False),
            (record("RETRY", attempt=2), record("RETRY", attempt=1), False),
            (record("PROGRESS", attempt=2), record("SUCCESS", attempt=1), False),
            (record("SUCCESS"), record("FAILURE", attempt=9), False),
            (record("FAILURE"), record("SUCCESS", attempt=9), False),
            (record("REVOKED"), record("SUCCESS"), False),
            (record("SUCCESS"), record("PROGRESS", generation=1), True),
            (record("SUCCESS", generation=1), record("SUCCESS", generation=0, attempt=9), False),
            (record("PROGRESS", generation=1), record("SUCCESS", generation=0, attempt=9), False),
        ],
        ids=lambda one: f"{one.state}-{one.generation}-{one.attempt}" if isinstance(one, Record) else one,
    )
    def test_later_word_stands(self, store: ResultStore, present: Record, written: Record, wins: bool):
        store.save({"m1": present})

        store.save({"m1": written})

        kept = store.load("m1")
        assert kept is not None
        expected = written if wins else present
        assert (kept.state, kept.generation, kept.attempt) == (
            expected.state,
            expected.generation,
            expected.attempt,
        )

    def test_word_that_comes_between_reading_and_writing_is_not_overwritten(self, clock: FakeClock):
        class Late(MemoryBackend):
            """Another attempt's record arrives just after this one's writer has looked."""

            between: Callable[[], None] | None = None

            def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
                found = super().get_many(keys)
                between, self.between = self.between, None
                if between is not None:
                    between()
                return found

        backend = Late(clock)
        store = store_on(backend, clock)
        backend.between = lambda: store.save({"m1": record("SUCCESS", attempt=2, result="new")})

        store.save({"m1": record("RETRY", attempt=1), "m2": record("SUCCESS", result=2)})

        kept = store.load_many(["m1", "m2"])
        assert (kept["m1"].state, kept["m1"].result) == ("SUCCESS", "new")
        assert kept["m2"].result == 2

    def test_threads_that_write_at_once_leave_the_latest_attempt(self):
        clock = SystemClock()
        store = store_on(MemoryBackend(clock), clock)
        threads = [
            threading.Thread(target=store.save, args=({"m1": record("RETRY", attempt=number)},))
            for number in range(1, 21)
        ]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG)

        kept = store.load("m1")
        assert kept is not None
        assert kept.attempt == 20


class TestRecords:
    def test_record_comes_back_whole(self, store: ResultStore, clock: FakeClock):
        store.save(
            {"m1": record(result={"a": [1]}, attempt=3, failures=2, generation=1, error="e", traceback="t")}
        )

        kept = store.load("m1")

        assert kept is not None
        assert (kept.result, kept.attempt, kept.failures, kept.generation) == ({"a": [1]}, 3, 2, 1)
        assert (kept.error, kept.traceback, kept.at) == ("e", "t", clock.now())

    def test_record_of_a_later_release_is_read_as_far_as_it_is_known(self, clock: FakeClock):
        backend = MemoryBackend(clock)
        backend.put("result:m1", json.dumps({"v": 2, "state": "SUCCESS", "task": "do", "colour": 1}).encode())

        kept = store_on(backend, clock).load("m1")

        assert kept is not None
        assert kept.state == "SUCCESS"

    @pytest.mark.parametrize("data", [b"\x00", b"[]", b"{}"])
    def test_record_that_cannot_be_read_is_a_backend_error(self, clock: FakeClock, data: bytes):
        backend = MemoryBackend(clock)
        backend.put("result:m1", data)

        with pytest.raises(BackendError, match="can't be read"):
            store_on(backend, clock).load("m1")

    def test_record_expires(self, store: ResultStore, clock: FakeClock):
        store.save({"m1": record()})

        clock.advance(3600)

        assert store.load("m1") is None
        assert handle(store).state == "PENDING"

    def test_saving_nothing_is_nothing(self, store: ResultStore):
        store.save({})

        assert store.load_many([]) == {}


class TestAsyncResult:
    def test_unknown_message_is_pending(self, store: ResultStore):
        result = handle(store)

        assert (result.state, result.ready(), result.successful()) == ("PENDING", False, False)
        assert list(result.progress) == []

    @pytest.mark.parametrize("state", sorted(FINAL))
    def test_ended_message_is_ready(self, store: ResultStore, state: State):
        store.save({"m1": record(state)})

        assert handle(store).ready()
        assert handle(store).successful() is (state == "SUCCESS")

    def test_get_gives_what_was_returned(self, store: ResultStore):
        store.save({"m1": record(result=[1])})

        assert handle(store).get(timeout=0) == [1]

    def test_get_of_a_failed_message_raises_with_its_error_and_traceback(self, store: ResultStore):
        store.save({"m1": record("FAILURE", error="OSError: no route", traceback="Traceback ...")})

        with pytest.raises(TaskFailedError, match=r"do \(m1\) failed: OSError: no route") as caught:
            handle(store).get(timeout=0)

        assert (caught.value.id, caught.value.error, caught.value.traceback) == (
            "m1",
            "OSError: no route",
            "Traceback ...",
        )

    @pytest.mark.parametrize("state", ["DEAD", "REVOKED"])
    def test_get_of_a_message_that_ended_without_a_run_raises(self, store: ResultStore, state: State):
        store.save({"m1": record(state, error="it expired")})

        with pytest.raises(TaskFailedError, match="it expired"):
            handle(store).get(timeout=0)

    def test_get_gives_up_after_its_timeout(self, store: ResultStore, clock: FakeClock):
        raised: list[BaseException] = []
        waiting = in_thread(lambda: handle(store).get(timeout=5), raised)

        while waiting.is_alive():
            clock.advance(1)
            waiting.join(0.01)

        assert isinstance(raised[0], ResultTimeoutError)
        assert isinstance(raised[0], TimeoutError)
        assert "no result after 5 s" in str(raised[0])
        assert raised[0].id == "m1"

    @pytest.mark.parametrize("timeout", [LONG, None])
    def test_get_wakes_when_the_result_comes(self, timeout: float | None):
        clock = SystemClock()
        store = store_on(MemoryBackend(clock), clock)
        store.save({"m1": record("PROGRESS", progress=(1, 2, ""))})
        got: list[Any] = []
        started = threading.Event()

        def wait() -> None:
            started.set()
            got.append(handle(store).get(timeout))

        waiting = in_thread(wait, [])
        started.wait(LONG)
        store.save({"m1": record(result="there")})
        waiting.join(LONG)

        assert got == ["there"]

    def test_get_does_not_miss_a_result_that_comes_between_looking_and_waiting(self):
        clock = SystemClock()

        class Late(MemoryBackend):
            """The result arrives just before the wait begins."""

            def wait(
                self, keys: Sequence[str], timeout: float, *, known: Mapping[str, bytes] | None = None
            ) -> None:
                store.save({"m1": record(result="there")})
                super().wait(keys, timeout, known=known)

        store = store_on(Late(clock), clock)

        assert handle(store).get(timeout=LONG) == "there"

    def test_get_without_a_backend_names_the_setting(self):
        with pytest.raises(ConfigurationError, match=r"result_backend.*CLOUDQ_RESULT_BACKEND"):
            handle(None).get(timeout=0)
        with pytest.raises(ConfigurationError, match="result_backend"):
            handle(None).ready()

    def test_get_inside_a_task_is_refused_unless_allowed(self, app: cloudq.App):
        store = app.results
        assert store is not None
        store.save({"other": record(result=5)})
        refused: list[BaseException] = []

        @app.task(name="outer")
        def outer() -> int:
            try:
                handle(store, "other").get(timeout=0)
            except ResultError as error:
                refused.append(error)
            return handle(store, "other").get(timeout=0, allow_in_task=True)

        outer.delay()
        (delivery,) = app.broker.receive(["default"], limit=1, lease=9, wait=0)
        execution = execute(app, delivery.body, Context(queue="default"))

        assert "allow_in_task=True" in str(refused[0])
        assert getattr(execution.outcome, "result", None) == 5

    def test_it_shows_what_it_is_of(self, store: ResultStore):
        assert repr(handle(store)) == "<AsyncResult m1 of do>"


class TestGroupResult:
    def group(self, store: ResultStore, *ids: str) -> GroupResult[Any]:
        return GroupResult(ids, lambda one: handle(store, one))

    def test_a_message_has_one_handle_however_often_it_is_asked_for(self, store: ResultStore):
        group = self.group(store, "1", "2")

        assert [one.id for one in group] == ["1", "2"]
        assert group[1] is group.results[1]
        assert len(group) == 2

    def test_get_gives_all_in_the_order_of_the_calls(self, store: ResultStore):
        store.save({one: record(result=one.upper()) for one in ("c", "a", "b")})

        assert self.group(store, "a", "b", "c").get(timeout=0) == ["A", "B", "C"]

    def test_it_is_ready_when_all_are(self, store: ResultStore):
        store.save({"a": record()})
        assert self.group(store, "a", "b").ready() is False

        store.save({"b": record("FAILURE")})

        assert self.group(store, "a", "b").ready() is True

    def test_get_raises_for_the_one_that_failed(self, store: ResultStore):
        store.save({"a": record(), "b": record("FAILURE", error="OSError: no")})

        with pytest.raises(TaskFailedError, match=r"do \(b\) failed"):
            self.group(store, "a", "b").get(timeout=0)

    def test_get_says_how_many_are_missing_and_names_the_first(self, store: ResultStore):
        store.save({"a": record()})

        with pytest.raises(ResultTimeoutError, match=r"2 of 3 results are missing after 0 s.*b of do"):
            self.group(store, "a", "b", "c").get(timeout=0)

    def test_timeout_is_for_all_together(self, store: ResultStore, clock: FakeClock):
        raised: list[BaseException] = []
        waiting = in_thread(lambda: self.group(store, "a", "b").get(timeout=10), raised)
        began = clock.monotonic()

        while waiting.is_alive():
            clock.advance(1)
            if clock.monotonic() - began == 6:
                store.save({"a": record()})
            waiting.join(0.01)

        assert isinstance(raised[0], ResultTimeoutError)

    def test_get_inside_a_task_is_refused(self, app: cloudq.App):
        task = app.task(name="outer")(lambda: self.group(store, "a").get(timeout=0))
        store = app.results
        assert store is not None
        task.delay()
        (delivery,) = app.broker.receive(["default"], limit=1, lease=9, wait=0)

        outcome = execute(app, delivery.body, Context(queue="default")).outcome

        assert "ResultError" in getattr(outcome, "error", "")

    def test_it_is_a_sequence_of_its_results(self, store: ResultStore):
        group = self.group(store, "a", "b")

        assert [one.id for one in group] == ["a", "b"]
        assert (len(group), group[1].id) == (2, "b")


def in_thread(call: Callable[[], object], raised: list[BaseException]) -> threading.Thread:
    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
