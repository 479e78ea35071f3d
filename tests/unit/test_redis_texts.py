from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudq.brokers.redis import texts
from cloudq.delivery import Delivery, Outgoing, Reason

ELEMENT = "1763724198123-7"

ids = st.text(min_size=1, max_size=40)
attributes = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)


@given(ids, st.binary(), st.none() | st.text(max_size=5), attributes)
def test_a_message_is_read_as_it_was_written(id, body, group, attributes):
    text = texts.outgoing(Outgoing(id, body, group=group, attributes=attributes))

    found = texts.seen("q", ELEMENT, text)

    assert found == Delivery("q", id, body, "", 0, group, 1763724198.123, attributes)


@given(ids, st.binary(), st.text(max_size=20))
def test_a_dead_letter_keeps_the_message_and_tells_the_reason(id, body, why):
    held = Delivery("q", id, body, "receipt", 3, "g", attributes={"colour": "red"})

    found = texts.seen("q-dead", ELEMENT, texts.buried(held, Reason("failed", why), 5.0))

    assert (found.id, found.body, found.group, found.attributes) == (id, body, "g", {"colour": "red"})
    assert found.reason == Reason("failed", why, queue="q", receive_count=3, died_at=5.0)


def test_messages_that_are_received_together_are_told_apart():
    sent = [Outgoing("a", b""), Outgoing("b", b"two\nlines"), Outgoing("c", b"", group="g")]
    written = [texts.outgoing(one) for one in sent]

    found = texts.received(
        "q", "token", b"1-1 1-2:3 1-3", b" ".join(b"%d" % len(one) for one in written), b"".join(written)
    )

    assert [(one.id, one.body, one.group) for one in found] == [
        ("a", b"", None),
        ("b", b"two\nlines", None),
        ("c", b"", "g"),
    ]
    assert [(one.receipt, one.receive_count) for one in found] == [
        ("1-1:1:token", 1),
        ("1-2:4:token", 4),
        ("1-3:1:token", 1),
    ]


@pytest.mark.parametrize(
    "text", [b"", b"[", b"[1]\nbody", b"\xff\xfe\nbody", b'["a",null,{},{"mood":"bad"}]\nbody', b"[[]]"]
)
def test_a_text_of_somebody_elses_is_delivered_whole(text):
    found = texts.seen("q", ELEMENT, text)

    assert found.body == text
    assert found.receive_count == 0
