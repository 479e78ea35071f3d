from __future__ import annotations

import math

import pytest

from cloudq.brokers.sqs.delays import copies, delay_seconds, lease_seconds
from cloudq.brokers.sqs.receipts import handle_of, receipt, received_at

NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(-1, 0), (0, 0), (0.01, 1), (1, 1), (899.5, 900), (9999, 900), (math.inf, 900), (math.nan, 0)],
)
def test_a_delay_is_never_early_while_sqs_can_hold_it(delay, seconds):
    assert delay_seconds(delay) == seconds


@pytest.mark.parametrize(
    ("lease", "age", "seconds"),
    [
        (60, 0, 60),
        (0.5, 0, 1),
        (0, 0, 0),
        (99 * HOUR, None, 43_200),
        (math.inf, 11 * HOUR, 3540),
        (99 * HOUR, 0, 43_140),
        (2 * HOUR, 11 * HOUR, 3540),
        (60, 11 * HOUR, 60),
        (60, 12 * HOUR - 60, 0),
        (60, 12 * HOUR, None),
    ],
)
def test_a_lease_ends_within_twelve_hours_of_the_receive(lease, age, seconds):
    received = None if age is None else NOW - age

    assert lease_seconds(lease, received_at=received, now=NOW) == seconds


@pytest.mark.parametrize(
    ("delay", "is_fifo", "has_body", "copied"),
    [
        (60, False, True, False),
        (61, False, True, True),
        (900, False, True, True),
        (901, False, True, False),
        (300, True, True, False),
        (300, False, False, False),
    ],
)
def test_only_long_delays_on_standard_queues_make_copies(delay, is_fifo, has_body, copied):
    assert copies(delay, is_fifo=is_fifo, has_body=has_body) is copied


def test_a_receipt_knows_its_handle_and_its_age():
    made = receipt("AQEB/handle+with@signs==", NOW)

    assert handle_of(made) == "AQEB/handle+with@signs=="
    assert received_at(made) == NOW


@pytest.mark.parametrize("handle", ["AQEBplain==", "with@sign", ""])
def test_a_bare_handle_is_a_receipt_of_unknown_age(handle):
    assert handle_of(handle) == handle
    assert received_at(handle) is None
