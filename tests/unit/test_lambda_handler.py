"""The Lambda handler over a scripted SQS: what it answers, and what it asks of the queue."""

from __future__ import annotations

import logging

import pytest

import cloudq
from cloudq.backends.memory import MemoryBackend
from cloudq.brokers.memory import MemoryBroker
from cloudq.delivery import Unknown
from cloudq.errors import BackendUnavailableError, ConfigurationError, QueueNotFoundError
from cloudq.lambda_handler import for_app
from cloudq.lambda_handler.delays import LONGEST_DELAY
from cloudq.lambda_handler.event import Reader
from tests.lambda_events import DOCUMENTED, Context, event, failed, record
from tests.scripted_sqs import HastyClock, ScriptedSqs, failing


@pytest.fixture
def clock():
    return HastyClock()


@pytest.fixture
def ran():
    """The arguments of what ran, in order."""
    return []


@pytest.fixture
def app(clock, ran):
    app = cloudq.App(
        "shop", broker="sqs://eu-west-1?prefix=shop-", environ={}, clock=clock, task_default_queue="orders"
    )

    @app.task(name="keep")
    def keep(value: str) -> None:
        ran.append(value)

    @app.task(name="fail", backoff=7)
    def fail(value: str) -> None:
        ran.append(value)
        raise OSError(value)

    @app.task(name="wait", bind=True)
    def wait(self, seconds: float) -> None:
        ran.append(self.request.time_remaining())
        clock.advance(seconds)

    return app


def handle(app, *records, context=None, **answers):
    """The ids that the handler reports, and the SQS that it asked."""
    sqs = ScriptedSqs(**answers)
    app._broker = sqs.broker(app.clock, prefix="shop-")
    return failed(for_app(app)(event(*records), context)), sqs


def hidden(sqs):
    """What became of leases: (handle, seconds) in the order of the requests, a list for each."""
    return [
        [(entry["ReceiptHandle"], entry["VisibilityTimeout"]) for entry in entries]
        for entries in sqs.entries("ChangeMessageVisibilityBatch")
    ]


class TestEvent:
    def test_documented_records_become_deliveries(self):
        standard, fifo = Reader("my-").deliveries(DOCUMENTED)

        assert (standard.queue, fifo.queue) == ("queue", "fifo.fifo")
        assert (standard.body, standard.receive_count, standard.group) == (b"Test message.", 1, None)
        assert standard.receipt == "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a..."
        assert standard.attributes == {"myAttribute": "myValue"}
        assert standard.sent_at == 1545082649.183
        assert fifo.group == "1"

    def test_trace_header_travels_with_the_attributes(self):
        traced = record("keep", "a")
        traced["attributes"]["AWSTraceHeader"] = "Root=1-2-3"

        assert Reader().delivery(traced).attributes == {"AWSTraceHeader": "Root=1-2-3"}

    @pytest.mark.parametrize(
        "stranger", [{}, {"test": "me"}, {"Records": [{"eventSource": "aws:s3"}]}, {"Records": None}]
    )
    def test_event_of_another_service_is_refused_with_what_it_is(self, app, stranger):
        with pytest.raises(ConfigurationError, match="no event of an SQS queue"):
            for_app(app)(stranger, None)


class TestBatch:
    def test_done_records_are_not_reported_and_cost_no_request(self, app, ran):
        reported, sqs = handle(app, record("keep", "a"), record("keep", "b"))

        assert (reported, ran, sqs.calls) == ([], ["a", "b"], [])

    def test_empty_event_is_done(self, app):
        assert handle(app)[0] == []

    def test_failed_records_return_after_their_backoff_by_one_request(self, app, ran):
        records = [
            record("fail", "a", id="1"),
            record("keep", "b"),
            record("fail", "c", id="3"),
        ]

        reported, sqs = handle(app, *records)

        assert (reported, ran) == (["1", "3"], ["a", "b", "c"])
        assert hidden(sqs) == [[("handle-1", 7), ("handle-3", 7)]]

    def test_long_backoff_is_no_copy_which_would_count_as_a_hop(self, app):
        @app.task(name="slowly", backoff=600)
        def slowly() -> None:
            raise OSError

        reported, sqs = handle(app, record("slowly", id="1"))

        assert reported == ["1"]
        assert (hidden(sqs), sqs.asked("SendMessageBatch")) == ([[("handle-1", 600)]], [])

    def test_far_eta_waits_no_longer_than_a_lease_can_last(self, app, ran):
        reported, sqs = handle(app, record("keep", "a", id="1", eta="2999-01-01T00:00:00Z"))

        assert (reported, ran) == (["1"], [])
        assert hidden(sqs) == [[("handle-1", LONGEST_DELAY)]]

    def test_what_cannot_be_read_is_dead_lettered_and_not_reported(self, app, ran):
        reported, sqs = handle(app, record(body="no JSON"), record("keep", "b"))

        assert (reported, ran) == ([], ["b"])
        (letter,) = sqs.entries("SendMessageBatch")[0]
        assert letter["MessageBody"] == "no JSON"
        assert '"bad_body"' in letter["MessageAttributes"]["cloudq.dead"]["StringValue"]

    def test_unknown_task_waits_for_the_deploy_longer_each_time(self, app):
        first, sqs_first = handle(app, record("newer", id="1", count=1))
        third, sqs_third = handle(app, record("newer", id="1", count=3))

        assert (first, third) == (["1"], ["1"])
        assert hidden(sqs_first) < hidden(sqs_third)

    def test_failures_are_estimated_by_the_receives_where_nothing_counts_them(self, app):
        reported, sqs = handle(app, record("fail", "a", count=4))

        assert reported == []
        assert sqs.asked("SendMessageBatch")[0]["QueueUrl"].endswith("/shop-orders-dead")

    def test_record_that_went_back_unrun_many_times_is_no_poison(self, app, ran):
        assert handle(app, record("keep", "a", count=50))[0] == []
        assert ran == ["a"]

    def test_record_that_never_ends_is_poison_at_last(self, app, ran):
        reported, sqs = handle(app, record("keep", "a", count=200))

        assert (reported, ran) == ([], [])
        assert (
            '"poison"'
            in sqs.entries("SendMessageBatch")[0][0]["MessageAttributes"]["cloudq.dead"]["StringValue"]
        )

    def test_record_that_the_dead_letter_queue_does_not_take_is_reported(self, app):
        reported, sqs = handle(
            app,
            record(body="no JSON", id="1"),
            record("keep", "b"),
            SendMessageBatch=lambda _: QueueNotFoundError("gone", queue="orders-dead"),
        )

        assert reported == ["1"]
        assert sqs.asked("DeleteMessageBatch") == []
        assert hidden(sqs)[-1][0][1] > 0

    def test_records_are_reported_though_their_delay_is_refused(self, app, caplog):
        reported, _ = handle(
            app,
            record("fail", "a", id="1"),
            record("fail", "b", id="2"),
            ChangeMessageVisibilityBatch=failing({"0"}, is_ours=True),
        )

        assert reported == ["1", "2"]
        assert "not_released" in actions(caplog)

    def test_records_are_reported_though_nobody_can_be_asked_for_their_delay(self, app, caplog, ran):
        reported, _ = handle(
            app,
            record("keep", "a"),
            record("fail", "b", id="2"),
            GetQueueUrl=[ConfigurationError("no credentials")],
        )

        assert (reported, ran) == (["2"], ["a", "b"])
        assert "not_released" in actions(caplog)

    def test_nothing_of_a_batch_is_left_for_the_next(self, app, ran):
        sqs = ScriptedSqs()
        app._broker = sqs.broker(app.clock, prefix="shop-")
        handler = for_app(app)
        behind = record("keep", "b", id="2", group="g", **FIFO)

        first = handler(event(record("fail", "a", id="1", group="g", **FIFO), behind), None)
        second = handler(event(behind), None)

        assert (failed(first), failed(second), ran) == (["1", "2"], [], ["a", "b"])

    def test_count_travels_in_the_body_where_the_broker_can_rewrite_it(self, clock):
        app = cloudq.App("shop", broker="memory://", environ={}, clock=clock, task_default_queue="orders")

        @app.task(name="fail", backoff=7)
        def fail() -> None:
            raise OSError

        fail.delay()
        (held,) = app.broker.receive(["orders"], limit=1, lease=60, wait=0)
        given = record(body=held.body.decode(), queue="orders") | {"receiptHandle": held.receipt}

        assert len(failed(for_app(app)(event(given), None))) == 1
        clock.advance(7)
        (again,) = app.broker.receive(["orders"], limit=1, lease=60, wait=0)
        assert b'"retries":1' in again.body


FIFO = {"queue": "shop-orders.fifo"}


class TestFifo:
    def test_rest_of_a_failed_group_goes_back_unrun_in_order_and_others_go_on(self, app, ran):
        records = [
            record("fail", "a1", id="1", group="a", **FIFO),
            record("keep", "b1", id="2", group="b", **FIFO),
            record("keep", "a2", id="3", group="a", **FIFO),
            record("keep", "b2", id="4", group="b", **FIFO),
            record("keep", "a3", id="5", group="a", **FIFO),
        ]

        reported, sqs = handle(app, *records)

        assert (reported, ran) == (["1", "3", "5"], ["a1", "b1", "b2"])
        assert hidden(sqs) == [[("handle-1", 7), ("handle-3", 7), ("handle-5", 7)]]

    def test_group_behind_a_dead_letter_goes_on(self, app, ran):
        reported, _ = handle(
            app,
            record(body="no JSON", group="a", **FIFO),
            record("keep", "a2", group="a", **FIFO),
        )

        assert (reported, ran) == ([], ["a2"])

    def test_group_stands_still_behind_what_could_not_be_dead_lettered(self, app, ran):
        reported, _ = handle(
            app,
            record(body="no JSON", id="1", group="a", **FIFO),
            record("keep", "a2", id="2", group="a", **FIFO),
            SendMessageBatch=lambda _: QueueNotFoundError("gone", queue="orders-dead.fifo"),
        )

        assert (reported, ran) == (["1", "2"], [])

    def test_groups_of_a_standard_queue_do_not_stand_still(self, app, ran):
        reported, _ = handle(
            app, record("fail", "a1", id="1", group="a"), record("keep", "a2", id="2", group="a")
        )

        assert (reported, ran) == (["1"], ["a1", "a2"])


class TestTime:
    def test_task_sees_lambdas_deadline_less_what_settling_takes(self, app, clock, ran):
        handle(app, record("wait", 0), context=Context(clock, 30))

        assert ran == [pytest.approx(28, abs=0.01)]

    def test_rest_goes_back_at_once_when_the_time_is_over(self, app, clock, ran):
        records = [record("wait", 29, id="1"), record("keep", "b", id="2"), record("keep", "c", id="3")]

        reported, sqs = handle(app, *records, context=Context(clock, 30))

        assert (reported, len(ran)) == (["2", "3"], 1)
        assert hidden(sqs) == [[("handle-2", 0), ("handle-3", 0)]]

    def test_record_goes_back_when_its_task_took_longer_before_than_is_left(self, app, clock, ran):
        records = [record("wait", 15, id="1"), record("wait", 15, id="2"), record("keep", "c", id="3")]

        reported, _ = handle(app, *records, context=Context(clock, 30))

        assert (reported, len(ran)) == (["2", "3"], 1)

    def test_record_goes_back_when_its_time_limit_is_longer_than_is_left(self, app, clock, ran):
        @app.task(name="limited", time_limit=20)
        def limited() -> None:
            ran.append("limited")

        records = [record("wait", 10, id="1"), record("limited", id="2")]

        reported, _ = handle(app, *records, context=Context(clock, 30))

        assert (reported, len(ran)) == (["2"], 1)

    def test_first_record_runs_though_its_limit_is_longer_than_the_function_may_run(self, app, clock, ran):
        @app.task(name="limited", time_limit=900)
        def limited() -> None:
            ran.append("limited")

        reported, _ = handle(app, record("limited"), context=Context(clock, 30))

        assert (reported, ran) == ([], ["limited"])

    def test_group_whose_head_failed_keeps_its_delay_when_the_time_is_over(self, app, clock):
        records = [
            record("fail", "a1", id="1", group="a", **FIFO),
            record("wait", 29, id="2", group="b", **FIFO),
            record("keep", "a2", id="3", group="a", **FIFO),
            record("keep", "b2", id="4", group="b", **FIFO),
        ]

        reported, sqs = handle(app, *records, context=Context(clock, 30))

        assert reported == ["1", "3", "4"]
        assert hidden(sqs) == [[("handle-1", 7), ("handle-3", 7), ("handle-4", 0)]]


class TestTrouble:
    """Failures of what is around the tasks, put in front of the real backend and broker."""

    def test_record_fails_alone_when_cloudq_itself_fails(self, app, clock, ran, caplog):
        class Broken(MemoryBackend):
            def get(self, key):
                if key == "result:1":
                    raise RuntimeError("a bug of its own")
                return super().get(key)

        use_backend(app, Broken(clock))

        reported, sqs = handle(app, record("keep", "a", id="1"), record("keep", "b", id="2"))

        assert (reported, ran) == (["1"], ["b"])
        assert hidden(sqs)[0][0][0] == "handle-1"
        assert "record_failed" in actions(caplog)

    def test_result_is_kept_by_a_second_try_at_the_end(self, app, clock, ran):
        class Busy(MemoryBackend):
            writes = 0

            def put_if(self, *args, **named):
                self.writes += 1
                if self.writes == 1:
                    raise BackendUnavailableError("throttled")
                return super().put_if(*args, **named)

        use_backend(app, Busy(clock))

        reported, _ = handle(app, record("keep", "a", id="1"), record("keep", "b", id="2"))

        assert (reported, ran) == ([], ["a", "b"])
        assert [app.results.load(name).state for name in ("1", "2")] == ["SUCCESS", "SUCCESS"]

    def test_record_whose_result_nobody_keeps_is_run_again(self, app, clock, caplog):
        class Down(MemoryBackend):
            def put_if(self, *args, **named):
                raise BackendUnavailableError("no route")

        use_backend(app, Down(clock))

        reported, sqs = handle(app, record("keep", "a", id="1"))

        assert reported == ["1"]
        assert hidden(sqs)[0][0][1] > 0
        assert "record_unsettled" in actions(caplog)

    def test_lost_answers_do_not_hide_a_failure(self, clock):
        class Deaf(MemoryBroker):
            def release(self, releases):
                return [Unknown("no answer") for _ in releases]

        app = cloudq.App("shop", broker="memory://", environ={}, clock=clock)
        app._broker = Deaf(clock)

        assert failed(for_app(app)(event(record("nothing", id="1", queue="orders")), None)) == ["1"]


def use_backend(app, backend):
    app.conf.update("command line", {"result_backend": "memory://"})
    app._backend = backend


def actions(caplog):
    return [getattr(one, "action", None) for one in caplog.records if one.levelno >= logging.WARNING]
