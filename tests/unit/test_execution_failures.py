"""Runs that fail, take too long or end their process: how often, and what becomes of the message."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from cloudq.codec import decode
from cloudq.delivery import Dead, Done, Requeue, RetryLater
from cloudq.execution import UNCOUNTED_RECEIVES, Context, crashed, execute, timed_out
from cloudq.request import running
from cloudq.results import Record
from cloudq.retry import Backoff, RetryPolicy
from cloudq.tasks import BoundTask
from tests.runner import HERE, SQS, Runner, body, failing, save


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
