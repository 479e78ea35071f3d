"""The ways into the Lambda handler: by the environment, and inside Powertools."""

from __future__ import annotations

import importlib

import pytest
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    SqsFifoPartialProcessor,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

import cloudq
from cloudq import lambda_handler
from cloudq.clock import FakeClock
from cloudq.errors import ConfigurationError, TaskError
from cloudq.lambda_handler import record_handler
from tests.lambda_events import Context, event, failed, record
from tests.scripted_sqs import HastyClock, ScriptedSqs


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module and name it in CLOUDQ_APP."""

    def write(text, attribute=""):
        name = f"lambda_app_{tmp_path.name}".replace("-", "_")
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("CLOUDQ_APP", name + attribute)
        importlib.invalidate_caches()
        return name

    yield write
    lambda_handler.__dict__.pop("handler", None)


APP = """
import cloudq

app = cloudq.App("shop", broker="memory://")

@app.task
def add(x: int, y: int) -> int:
    return x + y
"""


class TestEnvironment:
    @pytest.mark.parametrize("attribute", ["", ":app"])
    def test_handler_runs_the_app_that_the_environment_names(self, module, attribute):
        name = module(APP, attribute)

        answer = lambda_handler.handler(event(record(f"{name}.add", 1, 2)), None)

        assert answer == {"batchItemFailures": []}

    def test_handler_is_made_once(self, module):
        module(APP)

        assert lambda_handler.handler is lambda_handler.handler

    def test_missing_variable_is_said_in_the_init_phase(self):
        with pytest.raises(ConfigurationError, match="CLOUDQ_APP"):
            _ = lambda_handler.handler

    def test_broken_module_raises_its_own_error_in_the_init_phase(self, module):
        module("import not_there_at_all")

        with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
            _ = lambda_handler.handler

    def test_attribute_error_of_the_module_is_no_missing_handler(self, module):
        module("import sys\nsys.nothing_of_this_name")

        with pytest.raises(ConfigurationError, match="nothing_of_this_name"):
            _ = lambda_handler.handler

    def test_broker_url_that_does_not_fit_is_said_in_the_init_phase(self, module, monkeypatch):
        module(APP)
        monkeypatch.setenv("CLOUDQ_BROKER_URL", "nonsense://")

        with pytest.raises(ConfigurationError, match="nonsense"):
            _ = lambda_handler.handler

    def test_function_without_a_broker_is_told_what_to_set(self, module, monkeypatch):
        module(APP.replace(', broker="memory://"', ""))
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "images")

        with pytest.raises(ConfigurationError, match="CLOUDQ_BROKER_URL"):
            _ = lambda_handler.handler

    def test_other_names_are_no_attributes(self):
        with pytest.raises(AttributeError, match="no_such_name"):
            _ = lambda_handler.no_such_name


@pytest.fixture
def clock():
    return HastyClock()


@pytest.fixture
def sqs():
    return ScriptedSqs()


@pytest.fixture
def app(clock, sqs):
    app = cloudq.App("shop", broker="sqs://eu-west-1?prefix=shop-", environ={}, clock=clock)
    app._broker = sqs.broker(clock, prefix="shop-")

    @app.task(name="keep", bind=True)
    def keep(self, value: str) -> None:
        seen.append((value, self.request.time_remaining()))

    @app.task(name="fail", backoff=7)
    def fail() -> None:
        raise OSError

    seen = app.seen = []
    return app


def respond(app, processor, *records, context=None):
    return failed(
        process_partial_response(
            event=event(*records), record_handler=record_handler(app), processor=processor, context=context
        )
    )


class TestPowertools:
    def test_batch_processor_reports_what_failed(self, app, sqs):
        processor = BatchProcessor(event_type=EventType.SQS)

        reported = respond(app, processor, record("keep", "a"), record("fail", id="2"), record("keep", "c"))

        assert (reported, app.seen) == (["2"], [("a", None), ("c", None)])
        ((entry,),) = sqs.entries("ChangeMessageVisibilityBatch")
        assert (entry["ReceiptHandle"], entry["VisibilityTimeout"]) == ("handle-2", 7)

    def test_powertools_context_tells_the_task_its_time(self, app, clock):
        processor = BatchProcessor(event_type=EventType.SQS)

        respond(app, processor, record("keep", "a"), context=Context(clock, 10))

        assert app.seen == [("a", pytest.approx(8))]

    def test_batch_that_fails_wholly_is_reported_where_powertools_is_told_to(self, app):
        quiet = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        loud = BatchProcessor(event_type=EventType.SQS)

        assert respond(app, quiet, record("fail", id="1")) == ["1"]
        with pytest.raises(BatchProcessingError):
            respond(app, loud, record("fail", id="1"))

    def test_fifo_processor_skips_the_rest_of_the_group(self, app):
        processor = SqsFifoPartialProcessor(skip_group_on_error=True)
        fifo = {"queue": "shop-orders.fifo"}
        records = [
            record("fail", id="1", group="a", **fifo),
            record("keep", "a2", id="2", group="a", **fifo),
            record("keep", "b1", id="3", group="b", **fifo),
        ]

        assert respond(app, processor, *records) == ["1", "2"]
        assert [value for value, _ in app.seen] == ["b1"]

    def test_record_as_the_event_has_it_is_taken_too(self, app):
        record_handler(app)(record("keep", "a"))

        with pytest.raises(TaskError, match="goes back"):
            record_handler(app)(record=record("fail"))

    def test_context_of_no_time_still_runs_the_record(self, app):
        record_handler(app)(record("keep", "a"), Context(FakeClock(), 1))

        assert len(app.seen) == 1
