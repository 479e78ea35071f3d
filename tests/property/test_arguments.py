"""Our own table of everyday types says what strict pydantic says: Python values written, JSON values read.

Where the two differ on purpose:

- NaN and the infinities are floats to pydantic, but JSON has none: refused here both ways.
- Whatever has a `__float__`, a Decimal for one, is a float to pydantic: refused here, it would lose digits.
- A time that is written as a number in quotes ("1700000000") is an instant to pydantic: refused here, or a
  forgotten conversion goes unnoticed.
- An offset from UTC may have seconds here, since Python's own times before 1900 do.
- A lone surrogate is a character to Python and to this table, and an error to pydantic's JSON.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pydantic
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cloudq.arguments import Parameters
from cloudq.errors import ArgumentError


class Colour(Enum):
    RED = "red"
    TWO = 2


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Mood(StrEnum):
    GOOD = "good"


SCALARS = [str, int, float, bool, None, datetime, date, UUID, Decimal, Colour, Size, Mood]
HINTS = [
    *SCALARS,
    list,
    dict,
    list[int],
    list[Colour | None],
    list[list[date]],
    dict[str, float],
    dict[str, list[UUID]],
    datetime | None,
    str | None,
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
offsets = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=st.none() | offsets)
scalars = st.one_of(
    texts,
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
    moments,
    st.dates(),
    st.uuids(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([*Colour, *Size, *Mood]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)

json_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.sampled_from(
        ["red", "good", "2", "true", "null", "1.5", " 1 ", "1_0", "-0", "NaN", "Infinity", "1e5"]
    ),
    st.decimals().map(str),
    st.uuids().map(str),
    st.uuids().map(lambda value: value.hex.upper()),
    st.uuids().map(lambda value: f"urn:uuid:{value}"),
    st.dates().map(str),
    moments.map(datetime.isoformat),
    moments.map(str),
    moments.map(lambda at: at.isoformat(timespec="minutes")),
    moments.map(lambda at: at.isoformat().replace("+00:00", "Z")),
    st.from_regex(
        r"\A\d{4}-[01]\d-[0-3]\d([Tt _][0-2]\d:[0-6]\d(:[0-6]\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:?\d\d)?)?\Z"
    ),
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def fitting(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type."""
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if hint == dict[str, float]:
        return st.dictionaries(texts, fitting(float))
    if hint in (list, dict):
        return json_values.filter(lambda value: isinstance(value, hint))
    return st.from_type(type(None) if hint is None else hint)


Verdict = tuple[bool, Any]
"""Whether a value was taken, and as what."""


def ours(hint: Any, value: Any, way: str) -> Verdict:
    def do(x: Any) -> None: ...

    do.__annotations__["x"] = hint
    schema = Parameters(do, task="t", is_bound=False)
    try:
        (converted,), _ = getattr(schema, way)([value], {})
    except ArgumentError:
        return False, None
    return True, converted


def pydantic_s(check: Callable[[], Any]) -> Verdict:
    try:
        return True, check()
    except pydantic.ValidationError:
        return False, None


def has_no_json(value: Any) -> bool:
    """Whether pydantic takes it for what a bare list or dict may hold, though JSON can't."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return True
    return False


@pytest.mark.parametrize("hint", HINTS, ids=str)
@settings(max_examples=50)
@given(data=st.data())
def test_what_strict_pydantic_takes_in_python_is_what_can_be_sent(hint: Any, data: st.DataObject):
    value = data.draw(values | fitting(hint))
    assume(not ("float" in str(hint) and "Decimal" in repr(value)))
    assume(not (hint in (list, dict) and has_no_json(value)))
    adapter = pydantic.TypeAdapter(hint)

    expected, _ = pydantic_s(lambda: adapter.validate_python(value, strict=True))

    assert ours(hint, value, "write")[0] == expected


@pytest.mark.parametrize("hint", HINTS, ids=str)
@settings(max_examples=50)
@given(value=json_values)
def test_what_strict_pydantic_takes_in_json_is_what_can_be_read_and_as_the_same(hint: Any, value: Any):
    assume(not is_number_in_quotes(hint, value))
    adapter = pydantic.TypeAdapter(hint)

    expected = pydantic_s(lambda: adapter.validate_json(json.dumps(value), strict=True))

    assert ours(hint, value, "read") == expected


@pytest.mark.parametrize("hint", HINTS, ids=str)
@settings(max_examples=50)
@given(data=st.data())
def test_what_can_be_sent_can_be_read_and_is_the_same(hint: Any, data: st.DataObject):
    value = data.draw(fitting(hint))
    is_sent, written = ours(hint, value, "write")
    assume(is_sent)  # all but Decimal's NaN and infinities

    is_read, read = ours(hint, json.loads(json.dumps(written)), "read")

    assert is_read
    assert read == value


def is_number_in_quotes(hint: Any, value: Any) -> bool:
    """Whether a text stands for seconds since the epoch where a time is wanted: pydantic takes it for one."""
    if "date" not in str(hint):
        return False
    if isinstance(value, list):
        return any(is_number_in_quotes(hint, one) for one in value)
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def takes_three(a: int, b: int, c: int = 0) -> None: ...


def takes_none() -> None: ...


@given(
    function=st.sampled_from([takes_three, takes_none]),
    args=st.lists(st.integers(), max_size=4),
    kwargs=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers()),
)
def test_call_is_taken_exactly_when_python_would_take_it(function, args, kwargs):
    try:
        inspect.signature(function).bind(*args, **kwargs)
        fits = True
    except TypeError:
        fits = False
    parameters = Parameters(function, task="t", is_bound=False)

    if fits:
        assert parameters.write(args, kwargs) == (args, kwargs)
    else:
        with pytest.raises(ArgumentError):
            parameters.write(args, kwargs)
