from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudq.message import Message, derived_id, new_id, new_ids

parts = st.lists(st.text() | st.integers(), max_size=4)


def test_a_message_does_not_change():
    with pytest.raises(AttributeError):
        Message(id="1", task="t").task = "u"


@given(st.floats(0, 2**48 / 1000 - 1))
def test_an_id_is_a_uuid_of_version_7_that_tells_its_time(now):
    made = UUID(new_id(now))

    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(now * 1000)


def test_ids_sort_by_the_time_they_were_made():
    ids = [new_id(1_800_000_000 + number / 1000) for number in range(100)]

    assert ids == sorted(ids)


def test_ids_of_one_moment_differ():
    assert len({new_id(1_800_000_000.0) for _ in range(1000)}) == 1000


@given(st.floats(0, 2**48 / 1000 - 1), st.integers(0, 50))
def test_ids_that_are_made_together_are_what_one_is(now, count):
    made = [UUID(one) for one in new_ids(now, count)]

    assert len(set(made)) == count
    assert all((one.version, one.variant) == (7, "specified in RFC 4122") for one in made)
    assert all(one.int >> 80 == int(now * 1000) for one in made)


@given(parts)
def test_a_derived_id_is_a_uuid_of_version_8(some):
    made = UUID(derived_id(*some))

    assert (made.version, made.variant) == (8, "specified in RFC 4122")


@given(parts, parts)
def test_derived_ids_are_equal_exactly_if_what_they_derive_from_is(some, others):
    assert (derived_id(*some) == derived_id(*others)) == (some == others)


def test_a_derived_id_stays_what_it_is():
    assert derived_id("0193", 0, "next") == "3c22aeb8-fe7b-8043-ade3-798024afc4b7"
