from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec

from cloudq.brokers.rabbitmq.frames import (
    DELIVER,
    Answer,
    Confirmation,
    Content,
    FrameReader,
    Properties,
    ProtocolError,
    acked,
    called,
    content,
    published,
    rejected,
    returned,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def delivered(channel, tag, properties, body, *, most=131_072):
    deliver = called(channel, spec.Basic.Deliver("consumer", tag, False, "", "queue"))
    return deliver + content(channel, properties, body, most)


def in_pieces(data, size):
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(
    bodies=st.lists(st.binary(max_size=300), min_size=1, max_size=5),
    size=st.integers(1, 400),
    most=st.integers(200, 400),
)
def test_deliveries_come_out_whole_however_the_bytes_are_cut(bodies, size, most):
    properties = Properties("id", {"x-delivery-count": 0}, 1.0).encode()
    data = b"".join(delivered(1, tag, properties, body, most=most) for tag, body in enumerate(bodies, 1))
    reader = FrameReader()

    events = [event for piece in in_pieces(data, size) for event in reader.feed(piece)]

    assert [(one.kind, one.tag, one.body) for one in events] == [
        (DELIVER, tag, body) for tag, body in enumerate(bodies, 1)
    ]


def frames_of(data):
    while data:
        size, _ = frame.decode_frame(data)
        yield data[:size]
        data = data[size:]


def test_deliveries_of_two_channels_may_be_interleaved():
    properties = Properties("id", {}, 1.0).encode()
    one, other = (frames_of(delivered(channel, 1, properties, b"%d" % channel)) for channel in (1, 2))

    events = FrameReader().feed(b"".join(piece for pair in zip(one, other, strict=True) for piece in pair))

    assert [event.body for event in events if isinstance(event, Content)] == [b"1", b"2"]


def test_confirmations_and_answers_come_out_in_order():
    data = (
        acked(1, 7, multiple=True)
        + called(1, spec.Basic.Nack(8, False, False))
        + called(2, spec.Queue.DeclareOk("q", 3, 0))
    )

    first, second, third = FrameReader().feed(data)

    assert first == Confirmation(1, 7, is_multiple=True, is_positive=True)
    assert second == Confirmation(1, 8, is_multiple=False, is_positive=False)
    assert isinstance(third, Answer)
    assert (third.channel, third.method.message_count) == (2, 3)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x01\x00\x01\x00\x00\x00\x01ab", id="no end"),
        pytest.param(b"\x02\x00\x01\x00\x00\x00\x01a\xce", id="a header of nothing"),
        pytest.param(b"\x01\x00\x01\x00\x00\x00\x04\xff\xff\xff\xff\xce", id="an unknown method"),
    ],
)
def test_what_is_no_amqp_is_refused(data):
    with pytest.raises(ProtocolError):
        FrameReader().feed(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(ProtocolError):
        FrameReader().feed(data)


@given(
    name=texts,
    headers=st.dictionaries(texts, texts | st.integers(0, 2**31), max_size=4),
    sent=st.integers(0, 2**40),
)
def test_properties_are_what_pika_reads_and_writes(name, headers, sent):
    ours = Properties(name, headers, float(sent)).encode()

    read = spec.BasicProperties().decode(ours)
    again = Properties.decode(ours)

    assert (read.message_id, read.headers or {}, read.timestamp) == (name, headers, sent)
    assert (again.id, again.headers, again.sent_at) == (name, headers, float(sent))
    theirs = spec.BasicProperties(headers=headers or None, delivery_mode=2, message_id=name, timestamp=sent)
    assert b"".join(theirs.encode()) == ours


def test_a_message_of_others_keeps_its_properties_in_a_copy():
    theirs = spec.BasicProperties(content_type="text/plain", correlation_id="7", headers={"a": "b"})
    found = Properties.decode(b"".join(theirs.encode()))

    again = spec.BasicProperties().decode(found.encode())

    assert (again.content_type, again.correlation_id, again.headers) == ("text/plain", "7", {"a": "b"})


@pytest.mark.parametrize("coded", [b"", b"\x20", b"\x20\x00\x00\x00\xff\xff", b"\x10\xc0\x02\xff"])
def test_properties_that_are_cut_short_are_refused(coded):
    with pytest.raises(ProtocolError):
        Properties.decode(coded)


def test_frames_are_what_pika_makes_of_them():
    body = b"x" * 300
    properties = Properties("id", {}, 1.0).encode()
    data = published(3, "", "queue", mandatory=True) + content(3, properties, body, 200)

    pieces = []
    while data:
        size, one = frame.decode_frame(data)
        pieces.append(one)
        data = data[size:]

    method, header, *bodies = pieces
    assert (method.method.routing_key, method.method.mandatory) == ("queue", True)
    assert header.body_size == 300
    assert [len(one.fragment) for one in bodies] == [192, 108]
    assert acked(3, 9) == called(3, spec.Basic.Ack(9, False))
    assert rejected(3, 9) == called(3, spec.Basic.Reject(9, True))
    assert returned(3, 9) == called(3, spec.Basic.Nack(9, False, True))
