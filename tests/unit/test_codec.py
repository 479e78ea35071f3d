from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cloudq.codec import Writer, decode, encode, instant
from cloudq.errors import DecodeError, EncodeError, UnknownVersionError
from cloudq.message import Message

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "message.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
XML_CHARACTERS = re.compile("[\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")

text = st.text(st.characters())  # lone surrogates included: a file name may hold them
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(text, values, max_size=3)
counts = st.integers(0, 1_000)
# In whole milliseconds: the wire has microseconds, a float of seconds less than that.
instants = st.none() | st.integers(0, 4_000_000_000_000).map(lambda milliseconds: milliseconds / 1000)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
messages = st.builds(
    Message,
    id=names,
    task=names,
    args=st.lists(values, max_size=3),
    kwargs=objects,
    eta=instants,
    expires=instants,
    sent=instants.map(lambda at: None if at is None else instant(at)),
    retries=counts,
    generation=counts,
    retry=st.none() | objects.filter(bool),
    root=st.none() | text.filter(bool),
    parent=st.none() | text.filter(bool),
    group=st.none() | text.filter(bool),
    chord=st.none() | objects.filter(bool),
    next=st.lists(objects, max_size=2),
    on_error=st.none() | objects.filter(bool),
    trace=st.none() | text.filter(bool),
    headers=st.dictionaries(text, text, max_size=2),
    ref=st.none() | text.filter(bool),
    topic=st.none() | text.filter(bool),
)


def normal(message):
    """As it is once it has travelled: sequences are lists."""
    return {
        name: list(value) if name in {"args", "next"} else value for name, value in message._asdict().items()
    }


@given(messages)
def test_a_message_is_read_as_it_was_written(message):
    whole = message._replace(ref=None)

    assert normal(decode(encode(whole))) == normal(whole)


@given(messages)
def test_what_lies_behind_a_claim_check_is_not_written_beside_it(message):
    checked = message._replace(ref="s3://claims/1")

    read = decode(encode(checked))

    assert (read.args, read.kwargs, read.next, read.on_error) == ((), {}, (), None)
    assert normal(read) == normal(checked._replace(args=(), kwargs={}, next=(), on_error=None))


@given(messages)
def test_what_is_written_fits_the_schema(message):
    VALIDATOR.validate(json.loads(encode(message)))


@given(messages)
def test_what_is_written_is_text_that_sqs_takes(message):
    assert XML_CHARACTERS.fullmatch(encode(message).decode())


@given(messages, st.lists(messages), st.none() | st.text())
def test_messages_that_share_the_rest_are_written_as_each_alone(like, others, sent):
    written = Writer(like).write([(one.id, (list(one.args), dict(one.kwargs))) for one in others], sent)

    alike = [like._replace(id=one.id, args=one.args, kwargs=one.kwargs, sent=sent) for one in others]
    assert written == [encode(one) for one in alike]


def test_the_schema_is_one_and_names_every_field():
    Draft202012Validator.check_schema(SCHEMA)

    assert set(SCHEMA["properties"]) == {"v"} | set(Message._fields)


def test_a_plain_call_is_short_and_readable():
    body = encode(Message(id="1", task="shop.tasks.send_email", args=(1,), kwargs={"subject": "Grüße"}))

    expected = '{"v":1,"id":"1","task":"shop.tasks.send_email","args":[1],"kwargs":{"subject":"Grüße"}}'
    assert body.decode() == expected


def test_instants_are_written_in_utc():
    body = encode(Message(id="1", task="t", eta=1_800_000_000.25, expires=0.0))

    assert json.loads(body)["eta"] == "2027-01-15T08:00:00.250000Z"
    assert decode(body).expires == 0.0


def test_an_instant_may_have_any_offset():
    message = decode(b'{"v":1,"id":"1","task":"t","eta":"2027-01-15T09:30:00+01:30"}')

    assert message.eta == 1_800_000_000.0


def test_what_a_producer_leaves_out_has_its_default():
    assert decode(b'{"v":1,"id":"1","task":"t"}') == Message(id="1", task="t")


def test_unknown_fields_are_passed_over():
    body = b'{"v":1,"id":"1","task":"t","colour":"red","self":1}'

    VALIDATOR.validate(json.loads(body))
    assert decode(body) == Message(id="1", task="t")


def test_a_newer_version_is_told_apart_from_garbage():
    with pytest.raises(UnknownVersionError, match="wire format 2; this cloudq reads 1: upgrade") as refused:
        decode(b'{"v":2,"anything":[]}')

    assert refused.value.data == b'{"v":2,"anything":[]}'


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "isn't JSON"),
        (b"hello", "isn't JSON"),
        (b"\xff\xfe{\x00}\x00", "isn't JSON"),
        ('{"v":1}'.encode("utf-16"), "isn't JSON"),
        (b'{"v":1,"id":"1","task":"t","args":[NaN]}', "NaN"),
        (b'{"v":1,"id":"1","task":"t","args":[-Infinity]}', "-Infinity"),
        (b'{"v":1,"id":"1","task":"t","args":[1e999]}', "1e999"),
        pytest.param(b"[" * 100_000, "isn't JSON", id="deep"),
        (b"null", "a JSON null, not an object"),
        (b"true", "a JSON boolean"),
        (b'"text"', "a JSON string"),
        (b"[1]", "a JSON array"),
        (b"1", "a JSON number"),
        (b"{}", 'it has no "v"'),
        (b'{"v":null}', 'its "v" is None, not 1'),
        (b'{"v":"1"}', "its \"v\" is '1', not 1"),
        (b'{"v":true,"id":"1","task":"t"}', 'its "v" is True, not 1'),
        (b'{"v":0,"id":"1","task":"t"}', 'its "v" is 0, not 1'),
        (b'{"v":1,"task":"t"}', 'it has no "id"'),
        (b'{"v":1,"id":"1"}', 'it has no "task"'),
        (b'{"v":1,"id":"","task":"t"}', 'its "id" is wrong'),
        (b'{"v":1,"id":7,"task":"t"}', 'its "id" is wrong, 7 is no name'),
        (b'{"v":1,"id":"1","task":"t","args":{}}', 'its "args" is wrong, {} is no array'),
        (b'{"v":1,"id":"1","task":"t","kwargs":[]}', 'its "kwargs" is wrong, [] is no object'),
        (b'{"v":1,"id":"1","task":"t","retries":-1}', 'its "retries" is wrong, -1 is no count'),
        (b'{"v":1,"id":"1","task":"t","retries":true}', "True is no count"),
        (b'{"v":1,"id":"1","task":"t","headers":{"a":1}}', 'its "headers" is wrong, 1 is no string'),
        (b'{"v":1,"id":"1","task":"t","eta":5}', 'its "eta" is wrong, 5 is no RFC 3339 time'),
        (b'{"v":1,"id":"1","task":"t","eta":"soon"}', 'its "eta" is wrong'),
        (b'{"v":1,"id":"1","task":"t","eta":"2027-01-15T09:30:00"}', "no offset from UTC"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body, complaint):
    with pytest.raises(DecodeError, match=re.escape(complaint)) as refused:
        decode(body)

    assert refused.value.data == body
    assert not isinstance(refused.value, UnknownVersionError)


@given(st.binary() | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_message_or_a_decode_error(data):
    with suppress(DecodeError):
        assert isinstance(decode(data), Message)


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, b"bytes", float("nan"), float("inf"), {("a", 1): 2}],
    ids=["object", "set", "bytes", "nan", "inf", "tuple as key"],
)
def test_a_value_that_is_no_json_is_refused_with_the_task_name(value):
    with pytest.raises(EncodeError, match=r"A call of 'shop\.total' can't travel as JSON"):
        encode(Message(id="1", task="shop.total", kwargs={"value": value}))


def test_a_value_that_holds_itself_is_refused():
    loop = []
    loop.append(loop)
    deep = []
    for _ in range(100_000):
        deep = [deep]

    for value in (loop, deep):
        with pytest.raises(EncodeError, match="can't travel"):
            encode(Message(id="1", task="t", args=[value]))


@pytest.mark.parametrize("at", [float("inf"), float("nan"), 1e20])
def test_an_instant_that_no_calendar_holds_is_refused(at):
    with pytest.raises(EncodeError, match="can't travel"):
        encode(Message(id="1", task="t", eta=at))
