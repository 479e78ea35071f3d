"""What is never run: bodies that make no sense, and messages that are not admitted."""

from __future__ import annotations

from typing import Any

import pytest

import cloudq
from cloudq.attempt import UNKNOWN_RECEIVES
from cloudq.clock import FakeClock
from cloudq.codec import decode
from cloudq.delivery import Dead, Done, Ignored, Requeue, RetryLater
from cloudq.execution import execute
from cloudq.results import Record, State
from tests.runner import HERE, Runner, body, failing, save


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
