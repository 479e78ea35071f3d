"""Running a message: whatever comes, exactly one outcome, and what it says."""

from __future__ import annotations

import asyncio
import threading
from datetime import date
from typing import Any

import pytest

import cloudq
from cloudq.backends.memory import MemoryBackend
from cloudq.clock import FakeClock
from cloudq.delivery import Dead, Done, Ignored, Requeue, RetryLater
from cloudq.errors import BackendError, BackendUnavailableError
from cloudq.execution import Context
from cloudq.request import running
from cloudq.tasks import BoundTask
from tests.runner import HERE, Runner, failing


class TestRunning:
    def test_function_runs_with_its_arguments_as_themselves(self, runner: Runner):
        seen: list[Any] = []

        def do(day: date, *, times: int) -> list[date]:
            seen.append((day, times))
            return [day] * times

        runner.task(do)
        execution = runner.run("2026-11-21", kwargs={"times": 2})

        assert seen == [(date(2026, 11, 21), 2)]
        assert execution.outcome == Done(["2026-11-21", "2026-11-21"])
        assert (execution.id, execution.task, execution.generation, execution.attempt) == ("m1", "do", 0, 1)

    def test_result_is_dropped_where_none_are_kept(self, plain: Runner):
        plain.task(lambda: {object()})

        assert plain.run().outcome == Done(None)

    def test_coroutine_function_is_run_to_its_end(self, runner: Runner):
        async def do(x: int) -> int:
            await asyncio.sleep(0)
            return x + 1

        runner.task(do)

        assert runner.run(1).outcome == Done(2)

    def test_coroutine_function_that_fails_is_retried(self, runner: Runner):
        async def do() -> None:
            await asyncio.sleep(0)
            raise OSError("no route")

        runner.task(do)

        assert isinstance(runner.run().outcome, RetryLater)

    def test_seconds_are_the_run_s(self, runner: Runner, clock: FakeClock):
        runner.task(lambda: clock.advance(3))

        assert runner.run().seconds == 3

    def test_request_is_there_while_it_runs_and_gone_afterwards(self, runner: Runner):
        seen: list[Any] = []
        runner.task(lambda: seen.append(running.get()))

        runner.run()

        assert seen[0].id == "m1"
        assert running.get() is None

    def test_request_is_gone_after_a_failure_too(self, runner: Runner):
        runner.task(failing(OSError()))

        runner.run()

        assert running.get() is None


class TestSignals:
    def test_retry_waits_as_long_as_it_says_and_counts(self, runner: Runner):
        runner.task(failing(cloudq.Retry(countdown=42)))

        outcome = runner.run(retries=1).outcome

        assert isinstance(outcome, RetryLater)
        assert (outcome.delay, outcome.failures) == (42, 2)

    def test_retry_without_a_time_takes_the_task_s_backoff(self, runner: Runner):
        runner.task(failing(cloudq.Retry()), backoff=7)

        outcome = runner.run().outcome

        assert isinstance(outcome, RetryLater)
        assert outcome.delay == 7

    def test_retry_tells_what_it_was_raised_from(self, runner: Runner):
        def do() -> None:
            raise cloudq.Retry(1) from OSError("no route")

        runner.task(do)
        outcome = runner.run().outcome

        assert isinstance(outcome, RetryLater)
        assert outcome.error == "OSError: no route"

    def test_retry_is_not_asked_whether_it_is_worth_it_but_how_often(self, runner: Runner):
        runner.task(failing(cloudq.Retry()), retry_on=(OSError,), retries=1)

        assert isinstance(runner.run().outcome, RetryLater)
        assert isinstance(runner.run(retries=1).outcome, Dead)

    def test_bound_task_s_retry_is_the_same(self, runner: Runner):
        def do(self: BoundTask) -> None:
            raise self.retry(countdown=9)

        runner.task(do, bind=True)

        outcome = runner.run().outcome

        assert isinstance(outcome, RetryLater)
        assert outcome.delay == 9

    def test_retry_that_is_made_and_not_raised_counts_all_the_same(
        self, runner: Runner, caplog: pytest.LogCaptureFixture
    ):
        def do(self: BoundTask) -> str:
            self.retry(countdown=9)
            return "went on"

        runner.task(do, bind=True)

        assert isinstance(runner.run().outcome, RetryLater)
        assert "retry_not_raised" in [getattr(one, "action", "") for one in caplog.records]

    def test_reject_is_dead_with_the_reason_given(self, runner: Runner):
        runner.task(failing(cloudq.Reject("no such user")))

        outcome = runner.run(retries=1).outcome

        assert isinstance(outcome, Dead)
        assert (outcome.reason.code, outcome.reason.text) == ("rejected", "no such user")
        assert outcome.reason.failures == 1

    def test_reject_without_a_reason_says_who_did_it(self, runner: Runner):
        runner.task(failing(cloudq.Reject()))

        outcome = runner.run().outcome

        assert isinstance(outcome, Dead)
        assert outcome.reason.text == "The task rejected it."

    def test_reject_and_requeue_gives_back_uncounted(self, runner: Runner):
        runner.task(failing(cloudq.Reject("busy", requeue=True)))

        outcome = runner.run().outcome

        assert isinstance(outcome, Requeue)
        assert (outcome.is_counted, outcome.why) == (False, "busy")
        assert outcome.delay > 0

    def test_ignore_ends_the_message_without_a_result(self, runner: Runner):
        runner.task(failing(cloudq.Ignore()))

        assert runner.run().outcome == Ignored("the task said so")


class TestTime:
    def remaining(self, runner: Runner, context: Context = HERE, **options: Any) -> float | None:
        seen: list[float | None] = []

        def do(self: BoundTask) -> None:
            seen.append(self.request.time_remaining())

        runner.task(do, bind=True, **options)
        runner.run(context=context)
        return seen[0]

    def test_time_remaining_is_the_task_s_limit(self, runner: Runner):
        assert self.remaining(runner, time_limit=30) == 30

    def test_time_remaining_is_the_app_s_limit_where_the_task_has_none(self, runner: Runner):
        runner.app.conf.task_time_limit = 20

        assert self.remaining(runner) == 20

    def test_time_remaining_is_the_consumer_s_where_that_ends_sooner(self, runner: Runner, clock: FakeClock):
        context = HERE._replace(deadline=clock.monotonic() + 5)

        assert self.remaining(runner, context, time_limit=30) == 5

    def test_time_without_limit_is_none(self, runner: Runner):
        assert self.remaining(runner) is None

    def test_time_remaining_falls_to_nothing_and_not_below(self, runner: Runner, clock: FakeClock):
        seen: list[float | None] = []

        def do(self: BoundTask) -> None:
            for _ in range(2):
                clock.advance(20)
                seen.append(self.request.time_remaining())

        runner.task(do, bind=True, time_limit=30)
        runner.run()

        assert seen == [10, 0]

    def test_lost_lease_is_told_to_the_task(self, runner: Runner):
        lost = threading.Event()
        seen: list[bool] = []

        def do(self: BoundTask) -> None:
            seen.append(self.request.lease_lost)
            lost.set()
            seen.append(self.request.lease_lost)

        runner.task(do, bind=True)
        runner.run(context=HERE._replace(is_lease_lost=lost.is_set))

        assert seen == [False, True]


class Down(MemoryBackend):
    """A backend that fails when it is told to."""

    error: BackendError | None = None

    def get_many(self, keys: Any) -> dict[str, bytes]:
        if self.error is not None:
            raise self.error
        return super().get_many(keys)


class TestBackend:
    @pytest.mark.parametrize("error", [BackendUnavailableError("no route"), BackendError("torn page")])
    def test_message_waits_while_the_backend_is_down(
        self, runner: Runner, clock: FakeClock, error: BackendError
    ):
        runner.task(failing(AssertionError("it ran")))
        backend = Down(clock)
        backend.error = error
        runner.app._backend = backend

        delays = []
        for count in (1, 2, 3):
            outcome = runner.run(context=HERE._replace(receive_count=count)).outcome
            assert isinstance(outcome, Requeue)
            assert not outcome.is_counted
            delays.append(outcome.delay)

        assert delays == sorted(set(delays))

    def test_record_that_cannot_be_read_holds_the_message_back(self, runner: Runner):
        runner.task(failing(AssertionError("it ran")))
        backend = runner.app.backend
        assert backend is not None
        backend.put("result:m1", b"\x00")

        assert isinstance(runner.run().outcome, Requeue)

    def test_progress_is_kept_for_whoever_watches(self, runner: Runner):
        def do(self: BoundTask) -> None:
            self.progress(3, 10, "drawing")

        runner.task(do, bind=True)
        runner.run(retries=1)

        result = runner.app.tasks["do"].result("m1")
        assert result.state == "PROGRESS"
        assert list(result.progress) == [3, 10, "drawing"]
        assert result.record.attempt == 2

    def test_progress_that_cannot_be_kept_does_not_fail_the_task(
        self, runner: Runner, clock: FakeClock, caplog: pytest.LogCaptureFixture
    ):
        backend = Down(clock)
        runner.app._backend = backend

        def do(self: BoundTask) -> int:
            backend.error = BackendUnavailableError("no route")
            self.progress(1, 2)
            return 5

        runner.task(do, bind=True)

        assert runner.run().outcome == Done(5)
        assert [getattr(one, "action", "") for one in caplog.records] == ["progress_lost"]

    def test_progress_tells_nobody_where_no_results_are_kept(self, plain: Runner):
        def do(self: BoundTask) -> None:
            self.progress(1, 2)

        plain.task(do, bind=True)

        assert plain.run().outcome == Done(None)
