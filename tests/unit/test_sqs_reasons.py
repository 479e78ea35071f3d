from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudq.brokers.sqs import reasons
from cloudq.brokers.sqs.text import fault
from cloudq.delivery import Reason

TEXTS = st.text(max_size=200)
LONG = st.text(max_size=50).map(lambda text: text * 400)
REASONS = st.builds(
    Reason,
    code=st.sampled_from(["failed", "poison"]),
    text=TEXTS,
    error=TEXTS,
    traceback=TEXTS | LONG,
    queue=st.just("emails"),
    failures=st.integers(0, 99),
    receive_count=st.integers(0, 99),
    died_at=st.none() | st.floats(1e9, 2e9),
)


def test_a_reason_is_json_that_a_person_can_read():
    reason = Reason("failed", "It failed 3 times.", error="ValueError: ü", failures=3, queue="emails")

    assert json.loads(reasons.write(reason)) == {
        "code": "failed",
        "text": "It failed 3 times.",
        "error": "ValueError: ü",
        "failures": 3,
        "queue": "emails",
    }
    assert "ü" in reasons.write(reason)


@given(REASONS)
def test_a_reason_fits_and_sqs_can_carry_it(reason):
    written = reasons.write(reason)

    assert written is not None
    assert len(written.encode()) <= reasons.MAX_BYTES
    assert fault(written.encode()) is None
    read = reasons.read(written)
    assert read is not None
    assert (read.code, read.failures, read.died_at) == (reason.code, reason.failures, reason.died_at)


def test_a_reason_that_sqs_can_carry_whole_comes_back_as_it_was():
    reason = Reason("failed", "text", "error", "trace\nback", "emails", 2, 3, 1_800_000_000.25)

    assert reasons.read(reasons.write(reason)) == reason


def test_a_long_traceback_is_cut_in_its_middle():
    reason = Reason("failed", "It failed.", traceback="first " + "x" * 20_000 + " ValueError: last")

    read = reasons.read(reasons.write(reason))

    assert read.traceback.startswith("first ")
    assert read.traceback.endswith(" ValueError: last")
    assert " […] " in read.traceback
    assert read.text == "It failed."
    assert len(reasons.write(reason).encode()) > reasons.MAX_BYTES - 10


def test_what_xml_can_not_carry_is_replaced():
    read = reasons.read(reasons.write(Reason("failed", "a\x00b\ud800c\uffff")))

    assert read.text == "a\ufffdb\ufffdc\ufffd"


@given(REASONS, st.integers(0, 400))
def test_a_reason_shrinks_to_the_room_there_is(reason, room):
    written = reasons.write(reason, room)

    assert written is None or len(written.encode()) <= room


@pytest.mark.parametrize("text", ["", "no JSON", "[1]", "7"])
def test_an_attribute_of_somebody_else_is_no_reason(text):
    assert reasons.read(text) is None


def test_fields_that_do_not_fit_are_passed_over():
    text = json.dumps(
        {"code": 7, "text": "ok", "failures": "many", "died_at": 5, "new": 1, "receive_count": True}
    )

    assert reasons.read(text) == Reason(code="", text="ok", died_at=5)


def test_every_field_of_a_reason_travels():
    filled = {field.name: "x" if "str" in str(field.type) else 7 for field in dataclasses.fields(Reason)}

    assert reasons.read(reasons.write(Reason(**filled))) == Reason(**filled)
