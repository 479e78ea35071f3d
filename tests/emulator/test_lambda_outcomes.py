"""What is told of invocations, and how often."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from cloudq.clock import FakeClock
from cloudq_emulator.lambda_.configuration import Configuration
from cloudq_emulator.lambda_.outcomes import QUIET_SECONDS, Outcomes
from cloudq_emulator.lambda_.runtime import Reply

ORDERS = Configuration(
    account="123456789012",
    region="eu-west-1",
    name="orders",
    version="$LATEST",
    handler="app.run",
    timeout=5,
    memory_mb=256,
    runtime="python3.12",
    code_sha256="",
)
FAILED = Reply.error("ValueError", "no such order")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def outcomes(clock):
    return Outcomes("http://localhost:4566", clock)


@pytest.fixture
def warnings(caplog):
    def warnings():
        return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    return warnings


def test_a_failure_says_how_to_see_the_log(outcomes, warnings):
    outcomes.tell(ORDERS, FAILED, 0.1)

    (warning,) = warnings()
    assert warning == (
        "Function orders failed: ValueError: no such order. Its log: http://localhost:4566/_cloudq/ or "
        "aws --endpoint-url http://localhost:4566 --region eu-west-1 "
        "logs filter-log-events --log-group-name /aws/lambda/orders"
    )


def test_a_retry_loop_does_not_flood_and_is_counted(outcomes, warnings, clock):
    for _ in range(5):
        outcomes.tell(ORDERS, FAILED, 0.1)
    clock.advance(QUIET_SECONDS)
    outcomes.tell(ORDERS, FAILED, 0.1)

    first, second = warnings()
    assert first.startswith("Function orders failed: ")
    assert second.startswith("Function orders failed, and 4 times since the last warning: ")


def test_functions_are_quiet_each_for_itself(outcomes, warnings):
    outcomes.tell(ORDERS, FAILED, 0.1)
    outcomes.tell(replace(ORDERS, name="parcels"), FAILED, 0.1)

    assert len(warnings()) == 2


def test_after_a_reset_the_next_failure_is_told(outcomes, warnings):
    outcomes.tell(ORDERS, FAILED, 0.1)
    outcomes.forget()
    outcomes.tell(ORDERS, FAILED, 0.1)

    assert len(warnings()) == 2


def test_a_success_is_no_warning(outcomes, warnings):
    outcomes.tell(ORDERS, Reply(b"1"), 0.1)

    assert warnings() == []


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"nonsense", "Error: its error is no JSON object"),
        (b'{"errorType": "E", "errorMessage": "two\\nlines."}', "E: two lines. Its"),
        (b'{"errorType": "E", "errorMessage": "%s"}' % (b"x" * 5000), "x…. Its"),
        (b"{}", "Error"),
    ],
)
def test_any_error_is_one_line(outcomes, warnings, payload, told):
    outcomes.tell(ORDERS, Reply(payload, failed=True), 0.1)

    (warning,) = warnings()
    assert told in warning
    assert "\n" not in warning
    assert len(warning) < 1000
