"""Running a message: whatever comes, exactly one outcome, and what it says."""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

import cloudq
from cloudq.attempt import UNKNOWN_RECEIVES
from cloudq.backends.memory import MemoryBackend
from cloudq.clock import FakeClock
from cloudq.codec import decode, encode
from cloudq.delivery import Dead, Done, Execution, Ignored, Requeue, RetryLater
from cloudq.errors import BackendError, BackendUnavailableError
from cloudq.execution import UNCOUNTED_RECEIVES, Context, crashed, execute, timed_out
from cloudq.message import Message
from cloudq.request import running
from cloudq.results import Record, State
from cloudq.retry import Backoff, RetryPolicy
from cloudq.tasks import BoundTask

HERE = Context(queue="default")
SQS = HERE._replace(has_count=False)
"""How a broker delivers that can't rewrite a message when it gives it back."""


@dataclass(frozen=True)
class Runner:
    """Registers a function as the task `do` and runs messages for it."""

    app: cloudq.App

    def task(self, function: Callable[..., Any], **options: Any) -> None:
        self.app.task(name="do", **options)(function)

    def run(self, *args: Any, context: Context = HERE, **fields: Any) -> Execution:
        return execute(self.app, body(*args, **fields), context)


@pytest.fixture
def runner(app: cloudq.App) -> Runner:
    return Runner(app)


@pytest.fixture
def plain(clock: FakeClock) -> Runner:
    """One whose app keeps no results."""
    return Runner(cloudq.App("plain", broker="memory://", environ={}, clock=clock))


def body(*args: Any, **fields: Any) -> bytes:
    return encode(Message(**{"id": "m1", "task": "do", "args": args, **fields}))


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


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


class TestBadBodies:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"hello",
            b"\xff\xfe",
            b"[]",
            b"{}",
            b'{"v":1}',
            b'{"v":1,"id":"m1"}',
            b'{"v":1,"id":"m1","task":7}',
            b'{"v":1,"id":"m1","task":"do","args":{}}',
            b'{"v":1,"id":"m1","task":"do","retry":{"retries":-1}}',
            b'{"v":1,"id":"m1","task":"do","retry":{"retries":"many"}}',
            b'{"v":"1","id":"m1","task":"do"}',
            b'{"v":1,"id":"m1","task":"do","eta":"soon"}',
            b"[" * 100_000,
        ],
        ids=lambda data: data[:40].decode(errors="replace"),
    )
    def test_body_that_is_no_message_is_dead_with_what_is_wrong(self, runner: Runner, data: bytes):
        runner.task(lambda: None)

        execution = execute(runner.app, data, HERE)

        assert isinstance(execution.outcome, Dead)
        assert execution.outcome.reason.code == "bad_body"
        assert execution.outcome.reason.text

    def test_newer_version_is_waited_for_with_a_growing_delay_then_dead(self, runner: Runner):
        data = b'{"v":2,"id":"m1","task":"do"}'

        outcomes = [
            execute(runner.app, data, HERE._replace(receive_count=count + 1)).outcome
            for count in range(UNKNOWN_RECEIVES)
        ]

        assert_waits_then_dies(outcomes, "unknown_version")

    def test_unknown_task_is_waited_for_with_a_growing_delay_then_dead(self, runner: Runner):
        runner.app.task(name="shop.send_email")(lambda: None)

        executions = [
            runner.run(task="shop.send_emial", generation=2, context=HERE._replace(receive_count=count + 1))
            for count in range(UNKNOWN_RECEIVES)
        ]

        assert_waits_then_dies([one.outcome for one in executions], "unknown_task")
        last = executions[-1]
        assert isinstance(last.outcome, Dead)
        assert "'shop.send_emial'" in last.outcome.reason.text
        assert "shop.send_email" in last.outcome.reason.text
        assert (last.id, last.generation) == ("m1", 2)

    def test_unknown_task_where_none_is_registered_says_so(self, app: cloudq.App):
        outcome = execute(app, body(), HERE._replace(receive_count=UNKNOWN_RECEIVES)).outcome

        assert isinstance(outcome, Dead)
        assert "none at all" in outcome.reason.text

    @pytest.mark.parametrize(
        ("args", "kwargs", "named"),
        [(["1"], {}, "'x'"), ([], {}, "'x'"), ([1, 2], {}, "too many"), ([1], {"y": 1}, "'y'")],
    )
    def test_arguments_that_do_not_fit_are_dead_by_name(
        self, runner: Runner, args: list[Any], kwargs: dict[str, Any], named: str
    ):
        def do(x: int) -> None: ...

        runner.task(do)
        outcome = runner.run(*args, kwargs=kwargs).outcome

        assert isinstance(outcome, Dead)
        assert outcome.reason.code == "bad_arguments"
        assert named in outcome.reason.text

    def test_arguments_nested_deeper_than_can_be_walked_are_dead(self, runner: Runner):
        def do(x: list) -> None: ...  # type: ignore[type-arg]

        runner.task(do)
        data = b'{"v":1,"id":"m1","task":"do","args":[' + b"[" * 600 + b"]" * 600 + b"]}"

        outcome = execute(runner.app, data, HERE).outcome

        assert isinstance(outcome, Dead)
        assert outcome.reason.code == "bad_arguments"

    @pytest.mark.parametrize("depth", range(940, 1000, 4))
    def test_nesting_at_the_edge_of_the_stack_has_an_outcome_whatever_the_task_does(
        self, runner: Runner, depth: int
    ):
        runner.task(lambda x: 1 / 0)
        data = b'{"v":1,"id":"m1","task":"do","args":[' + b"[" * depth + b"]" * depth + b"]}"

        outcome = execute(runner.app, data, HERE).outcome

        assert isinstance(outcome, RetryLater | Dead)

    def test_hint_that_cannot_be_resolved_is_waited_for_like_an_unknown_task(self, runner: Runner):
        def do(x: Any) -> None: ...

        do.__annotations__["x"] = "Ghost"
        runner.task(do)

        outcomes = [
            runner.run(1, context=HERE._replace(receive_count=count + 1)).outcome
            for count in range(UNKNOWN_RECEIVES)
        ]

        assert_waits_then_dies(outcomes, "bad_arguments")


def assert_waits_then_dies(outcomes: list[Any], code: str) -> None:
    *waits, last = outcomes
    delays = [one.delay for one in waits if isinstance(one, Requeue)]
    assert len(delays) == len(waits)
    assert all(one.is_counted for one in waits)
    assert delays == sorted(delays)
    assert delays[0] < 5
    assert sum(delays) > 600
    assert isinstance(last, Dead)
    assert last.reason.code == code


class TestFailing:
    def test_failure_is_tried_again_with_its_count_error_and_traceback(self, runner: Runner):
        runner.task(failing(OSError("no route")), backoff=10)

        outcome = runner.run(retries=1).outcome

        assert isinstance(outcome, RetryLater)
        assert (outcome.delay, outcome.failures, outcome.error) == (10, 2, "OSError: no route")
        assert outcome.body is not None
        assert decode(outcome.body).retries == 2
        assert outcome.traceback.startswith("Traceback")
        assert "in fail" in outcome.traceback
        assert "cloudq/execution.py" not in outcome.traceback

    def test_retries_in_vain_are_dead_with_the_last_error(self, runner: Runner):
        runner.task(failing(OSError("no route")), retries=2)

        outcome = runner.run(retries=2).outcome

        assert isinstance(outcome, Dead)
        assert outcome.reason.code == "failed"
        assert outcome.reason.error == "OSError: no route"
        assert outcome.reason.failures == 3
        assert "attempt 3 of 3" in outcome.reason.text
        assert "in fail" in outcome.reason.traceback

    def test_task_without_retries_has_one_attempt(self, runner: Runner):
        runner.task(failing(OSError()), retries=0)

        assert isinstance(runner.run().outcome, Dead)

    def test_call_s_own_retries_replace_the_task_s(self, runner: Runner):
        runner.task(failing(OSError()), retries=5)

        assert isinstance(runner.run(retry={"retries": 0}).outcome, Dead)
        assert isinstance(runner.run(retry={"retries": 9, "of": "tomorrow"}, retries=8).outcome, RetryLater)

    @pytest.mark.parametrize(("error", "again"), [(ConnectionError(), True), (ValueError(), False)])
    def test_only_what_it_is_worth_retrying_is_retried(self, runner: Runner, error: Exception, again: bool):
        runner.task(failing(error), retry_on=(OSError,))

        outcome = runner.run().outcome

        assert isinstance(outcome, RetryLater if again else Dead)

    def test_what_is_to_be_given_up_on_is_given_up_on(self, runner: Runner):
        runner.task(failing(FileNotFoundError()), retry_on=(OSError,), give_up_on=(FileNotFoundError,))

        outcome = runner.run().outcome

        assert isinstance(outcome, Dead)
        assert "FileNotFoundError is not worth a retry" in outcome.reason.text

    @pytest.mark.parametrize(
        "leave", [lambda: exit(3), lambda: argparse.ArgumentParser().parse_args(["--what"])]
    )
    def test_task_that_exits_ends_itself_and_not_the_worker(
        self, runner: Runner, leave: Callable[[], Any], capsys: pytest.CaptureFixture[str]
    ):
        runner.task(leave)

        outcome = runner.run().outcome

        assert isinstance(outcome, Dead)
        assert "SystemExit" in outcome.reason.text

    def test_task_that_is_to_be_retried_after_an_exit_is(self, runner: Runner):
        runner.task(failing(SystemExit(1)), retry_on=(Exception, SystemExit))

        assert isinstance(runner.run().outcome, RetryLater)

    def test_cancelled_coroutine_has_an_outcome(self, runner: Runner):
        async def do() -> None:
            raise asyncio.CancelledError

        runner.task(do)

        assert isinstance(runner.run().outcome, Dead)

    def test_exception_of_no_known_kind_has_an_outcome(self, runner: Runner):
        class Odd(BaseException): ...

        runner.task(failing(Odd("?")))

        assert isinstance(runner.run().outcome, Dead)

    def test_interrupt_from_the_keyboard_passes_through(self, runner: Runner):
        runner.task(failing(KeyboardInterrupt()))

        with pytest.raises(KeyboardInterrupt):
            runner.run()
        assert running.get() is None

    def test_exception_that_cannot_be_shown_has_an_outcome(self, runner: Runner):
        class Shy(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no")

        runner.task(failing(Shy()))

        outcome = runner.run().outcome

        assert isinstance(outcome, RetryLater)
        assert outcome.error.startswith("Shy")

    def test_result_that_json_cannot_carry_is_dead_and_not_run_again(self, runner: Runner):
        runner.task(lambda: {object()})

        outcome = runner.run().outcome

        assert isinstance(outcome, Dead)
        assert outcome.reason.code == "bad_result"
        assert "do: its result can't travel as JSON" in outcome.reason.text

    def test_message_with_characters_that_utf8_has_not_can_be_retried(self, runner: Runner):
        runner.task(lambda x: 1 / 0)
        data = b'{"v":1,"id":"m1","task":"do","args":["\\ud800"]}'

        outcome = execute(runner.app, data, HERE).outcome

        assert isinstance(outcome, RetryLater)
        assert outcome.body is not None
        assert json.loads(outcome.body)["args"] == ["\ud800"]


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


class TestAdmission:
    def test_message_that_is_not_due_goes_back_for_the_rest(self, runner: Runner, clock: FakeClock):
        runner.task(failing(AssertionError("it ran")))

        outcome = runner.run(eta=clock.now() + 30, retries=2).outcome

        assert isinstance(outcome, Requeue)
        assert (outcome.delay, outcome.is_counted) == (30, False)
        assert outcome.body is not None
        assert decode(outcome.body).eta == clock.now() + 30
        assert decode(outcome.body).retries == 2

    def test_message_that_is_due_runs(self, runner: Runner, clock: FakeClock):
        runner.task(lambda: 1)

        assert runner.run(eta=clock.now()).outcome == Done(1)

    def test_message_that_has_expired_is_revoked(self, runner: Runner, clock: FakeClock):
        runner.task(failing(AssertionError("it ran")))

        outcome = runner.run(expires=clock.now() - 5).outcome

        assert outcome == Ignored("it expired 5 s ago", is_revoked=True)

    def test_message_that_has_expired_before_it_is_due_is_revoked(self, runner: Runner, clock: FakeClock):
        runner.task(failing(AssertionError("it ran")))

        outcome = runner.run(expires=clock.now(), eta=clock.now() + 60).outcome

        assert isinstance(outcome, Ignored)

    @pytest.mark.parametrize(
        ("state", "kind"), [("SUCCESS", Ignored), ("REVOKED", Ignored), ("FAILURE", Dead), ("DEAD", Dead)]
    )
    def test_message_whose_end_is_on_record_is_not_run_again(self, runner: Runner, state: State, kind: type):
        runner.task(failing(AssertionError("it ran")))
        save(runner.app, Record(state=state, task="do", error="OSError: no", traceback="T", failures=4))

        outcome = runner.run().outcome

        assert isinstance(outcome, kind)
        if isinstance(outcome, Dead):
            assert (outcome.reason.error, outcome.reason.traceback) == ("OSError: no", "T")
            assert outcome.reason.failures == 4

    @pytest.mark.parametrize("state", ["PENDING", "STARTED", "PROGRESS", "RETRY"])
    def test_message_that_is_on_record_as_unfinished_runs(self, runner: Runner, state: State):
        runner.task(lambda: 1)
        save(runner.app, Record(state=state, task="do"))

        assert runner.run().outcome == Done(1)

    def test_later_generation_runs_whatever_became_of_the_earlier(self, runner: Runner):
        runner.task(lambda: 1)
        save(runner.app, Record(state="SUCCESS", task="do", generation=0))

        execution = runner.run(generation=1)

        assert execution.outcome == Done(1)
        assert execution.generation == 1


class TestCounting:
    """Attempts and receives are two numbers."""

    def attempts(self, runner: Runner, context: Context, **fields: Any) -> int:
        seen: list[int] = []

        def do(self: BoundTask) -> None:
            seen.append(self.request.retries)

        runner.task(do, bind=True)
        runner.run(context=context, **fields)
        return seen[0]

    def test_body_counts_where_the_broker_rewrites_it(self, runner: Runner):
        assert self.attempts(runner, HERE._replace(receive_count=7), retries=2) == 2

    def test_record_counts_where_the_broker_does_not(self, runner: Runner):
        save(runner.app, Record(state="RETRY", task="do", failures=3, attempt=3))

        assert self.attempts(runner, SQS._replace(receive_count=7), retries=1) == 3

    def test_body_counts_where_there_is_no_record_yet(self, runner: Runner):
        assert self.attempts(runner, SQS._replace(receive_count=5), retries=2) == 2

    def test_record_of_another_generation_does_not_count(self, runner: Runner):
        save(runner.app, Record(state="RETRY", task="do", failures=3, attempt=3))

        assert self.attempts(runner, SQS._replace(receive_count=2), generation=1) == 0

    def test_receives_are_the_estimate_where_nothing_else_counts(self, plain: Runner):
        assert self.attempts(plain, SQS._replace(receive_count=3), retries=1) == 3


class TestPoison:
    def test_message_that_comes_back_without_an_end_too_often_is_poison(self, runner: Runner):
        runner.task(failing(AssertionError("it ran")))

        outcome = runner.run(context=HERE._replace(receive_count=4, max_receives=3)).outcome

        assert isinstance(outcome, Dead)
        assert outcome.reason.code == "poison"
        assert "received 4 times, 3 of them without an end" in outcome.reason.text

    def test_receives_that_failures_explain_are_no_poison(self, runner: Runner):
        runner.task(lambda: 1, retries=50)

        context = HERE._replace(receive_count=31, max_receives=3)

        assert runner.run(context=context, retries=30).outcome == Done(1)
        assert isinstance(runner.run(context=context, retries=27).outcome, Dead)

    def test_recorded_failures_explain_receives_where_the_body_does_not_count(self, runner: Runner):
        runner.task(lambda: 1, retries=50)
        save(runner.app, Record(state="RETRY", task="do", failures=30, attempt=30))

        assert runner.run(context=SQS._replace(receive_count=31, max_receives=3)).outcome == Done(1)

    def test_receives_that_cannot_be_told_not_to_count_are_no_poison(self, runner: Runner):
        runner.task(lambda: 1, retries=0)

        context = SQS._replace(receive_count=UNCOUNTED_RECEIVES, max_receives=1)

        assert runner.run(context=context).outcome == Done(1)

    @pytest.mark.parametrize("count", [10 + UNCOUNTED_RECEIVES + 4, 5000])
    def test_message_that_kills_whoever_runs_it_is_poison_where_nothing_counts(
        self, plain: Runner, count: int
    ):
        plain.task(failing(AssertionError("it ran")), retries=3)

        outcome = plain.run(context=SQS._replace(receive_count=count, max_receives=10)).outcome

        assert isinstance(outcome, Dead)
        assert outcome.reason.code == "poison"

    def test_retries_come_first_where_nothing_counts(self, plain: Runner):
        plain.task(failing(OSError()), retries=3)

        last = plain.run(context=SQS._replace(receive_count=4, max_receives=1)).outcome

        assert isinstance(last, Dead)
        assert last.reason.code == "failed"

    def test_estimate_after_a_copy_with_more_failures_than_the_task_allows_by_now(self, plain: Runner):
        plain.task(lambda: 1, retries=1)

        outcome = plain.run(context=SQS._replace(receive_count=3, max_receives=3), retries=9).outcome

        assert outcome == Done(None)


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


class TestCrashed:
    def test_first_death_is_tried_again_at_once_the_next_later(self):
        first = crashed(body(), HERE._replace(receive_count=1), "killed by signal 9").outcome
        second = crashed(body(), HERE._replace(receive_count=2), "killed by signal 9").outcome

        assert isinstance(first, Requeue)
        assert isinstance(second, Requeue)
        assert (first.delay, first.is_counted, first.why) == (0, True, "killed by signal 9")
        assert second.delay > 0

    def test_one_that_kills_its_process_every_time_is_poison(self):
        execution = crashed(body(), HERE._replace(receive_count=3, max_receives=3), "killed by signal 9")

        assert isinstance(execution.outcome, Dead)
        assert execution.outcome.reason.code == "poison"
        assert "killed by signal 9" in execution.outcome.reason.text
        assert (execution.id, execution.task) == ("m1", "do")

    def test_failures_are_no_deaths(self):
        context = HERE._replace(receive_count=5, max_receives=3)

        assert isinstance(crashed(body(retries=4), context, "killed").outcome, Requeue)
        assert crashed(body(retries=4), context, "killed").attempt == 5

    def test_death_does_not_raise_the_count_of_failures(self):
        outcome = crashed(body(), HERE, "killed").outcome

        assert isinstance(outcome, Requeue)
        assert outcome.body is None

    def test_receives_that_failures_may_explain_are_no_deaths_where_nobody_counts(self):
        context = HERE._replace(receive_count=12, max_receives=10, has_count=False)

        assert isinstance(crashed(body(), context, "killed", retries=20).outcome, Requeue)
        assert isinstance(crashed(body(), context, "killed", retries=2).outcome, Dead)

    def test_body_that_cannot_be_read_has_an_outcome(self):
        assert isinstance(crashed(b"?", HERE, "killed").outcome, Requeue)


class TestTimedOut:
    POLICY = RetryPolicy(retries=2, backoff=Backoff(5, 5, 1, jitter=False))

    def test_run_that_took_too_long_is_a_failure_and_tried_again(self):
        execution = timed_out(body(retries=1), HERE, self.POLICY, 30)

        assert isinstance(execution.outcome, RetryLater)
        assert (execution.outcome.delay, execution.outcome.failures) == (5, 2)
        assert "TimeLimitError: do ran longer than its time limit of 30 s" in execution.outcome.error
        assert execution.outcome.body is not None
        assert decode(execution.outcome.body).retries == 2
        assert (execution.attempt, execution.seconds) == (2, 30)

    def test_run_that_took_too_long_too_often_is_dead(self):
        outcome = timed_out(body(retries=2), HERE, self.POLICY, 30).outcome

        assert isinstance(outcome, Dead)
        assert (outcome.reason.code, outcome.reason.failures) == ("failed", 3)

    def test_call_s_own_retries_count(self):
        outcome = timed_out(body(retry={"retries": 0}), HERE, self.POLICY, 30).outcome

        assert isinstance(outcome, Dead)


def save(app: cloudq.App, record: Record) -> None:
    assert app.results is not None
    app.results.save({"m1": record})
