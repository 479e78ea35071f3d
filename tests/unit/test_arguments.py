"""What a task's signature lets through, on the way to the queue and on the way out of it."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest

from cloudq.arguments import Parameters, Returned
from cloudq.errors import ArgumentError, ConfigurationError, EncodeError

if TYPE_CHECKING:
    from nowhere import Ghost


class Colour(Enum):
    RED = "red"
    BLUE = 2


class Size(IntEnum):
    SMALL = 1


class Mood(StrEnum):
    GOOD = "good"


@dataclass
class Point:
    x: int
    y: float = 0.0


class User(pydantic.BaseModel):
    user_id: int = pydantic.Field(alias="userId")
    born: date | None = None

    @pydantic.computed_field
    @property
    def initial(self) -> str:
        return "U"


def parameters(function: Callable[..., Any], *, is_bound: bool = False) -> Parameters:
    return Parameters(function, task="shop.do", is_bound=is_bound)


def taking(hint: Any) -> Parameters:
    def do(x: Any) -> None: ...

    do.__annotations__["x"] = hint
    return parameters(do)


def there_and_back(hint: Any, value: Any) -> Any:
    schema = taking(hint)
    (written,), _ = schema.write([value], {})
    (read,), _ = schema.read([json.loads(json.dumps(written))], {})
    return read


ROUND_TRIPS = [
    (str, "grüß 🙂"),
    (int, -(2**70)),
    (float, 1.5),
    (bool, True),
    (None, None),
    (type(None), None),
    (list, [1, "a", None, {"b": [2.5]}]),
    (dict, {"a": {"b": [1]}}),
    (list[int], [1, 2]),
    (typing.List, [1]),  # noqa: UP006 - as older code says it
    (typing.Dict, {"a": 1}),  # noqa: UP006 - as older code says it
    (dict[str, list[date]], {"a": [date(2026, 11, 21)]}),
    (int | None, None),
    (typing.Optional[int], 3),  # noqa: UP045 - as older code says it
    (datetime, datetime(2026, 11, 21, 9, 30, 1, 250_000, tzinfo=UTC)),
    (datetime, datetime(2026, 11, 21, 9, 30)),  # noqa: DTZ001 - one without an offset arrives without one
    (datetime, datetime(1890, 1, 1, tzinfo=timezone(timedelta(minutes=53, seconds=28)))),
    (date, date(2026, 11, 21)),
    (UUID, UUID("0193aaaa-0000-7000-8000-000000000000")),
    (Decimal, Decimal("12.340")),
    (Colour, Colour.RED),
    (Colour, Colour.BLUE),
    (Size, Size.SMALL),
    (Mood, Mood.GOOD),
    (list[Colour | None], [Colour.BLUE, None]),
    (Any, [1, {"a": None}]),
    (object, "x"),
    (Point, Point(1, 2.5)),
    (list[Point], [Point(1)]),
    (User, User(userId=1, born=date(2000, 1, 1))),
    (User | None, User(userId=1)),
    (Annotated[int, pydantic.Field(gt=0)], 1),
    (Annotated[int, {"no": "hash"}], 1),
    (Literal["a", "b"], "b"),
    (int | str, "1"),
    (int | str, 1),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (dict[int, str], {1: "a"}),
    (timedelta, timedelta(hours=1)),
    (bytes, b"abc"),
]


@pytest.mark.parametrize(("hint", "value"), ROUND_TRIPS, ids=lambda value: str(value)[:40])
def test_value_arrives_as_itself(hint: Any, value: Any):
    arrived = there_and_back(hint, value)

    assert arrived == value
    assert type(arrived) is type(value)


REFUSED = [
    (int, "1"),
    (int, True),
    (int, 1.0),
    (str, 1),
    (float, "1.5"),
    (float, True),
    (float, float("nan")),
    (float, float("inf")),
    (float, 10**400),
    (bool, 1),
    (None, 0),
    (list, (1, 2)),
    pytest.param(list, [object()], id="list-object"),
    (dict, {1: "a"}),
    (dict, []),
    (list[int], [1, "2"]),
    (dict[str, int], {"a": "1"}),
    (dict[str, int], {1: 1}),
    (int | None, "1"),
    (datetime, "2026-11-21T09:30:00Z"),
    (datetime, date(2026, 11, 21)),
    (date, datetime(2026, 11, 21, tzinfo=UTC)),
    (UUID, "0193aaaa-0000-7000-8000-000000000000"),
    (Decimal, 1.5),
    (Decimal, Decimal("NaN")),
    (Colour, "red"),
    (Size, 1),
    pytest.param(Any, object(), id="any-object"),
    (Any, {1: 2}),
    (Point, {"x": 1}),
    (User, {"userId": "1"}),
    (Annotated[int, pydantic.Field(gt=0)], 0),
    (Literal["a"], "c"),
    (int | str, 1.5),
]


@pytest.mark.parametrize(("hint", "value"), REFUSED, ids=lambda value: str(value)[:40])
def test_value_of_another_type_is_refused_where_it_is_sent_and_the_argument_is_named(hint: Any, value: Any):
    with pytest.raises(ArgumentError, match=r"shop\.do: argument 'x': ") as caught:
        taking(hint).write([value], {})

    assert caught.value.argument == "x"
    assert caught.value.task == "shop.do"


REFUSED_FROM_THE_WIRE = [
    (int, "1"),
    (int, True),
    (str, None),
    (float, "1"),
    (datetime, 1_700_000_000),
    (datetime, "2026-11-21"),
    (datetime, "yesterday"),
    (date, "2026-W01-1"),
    (date, "2026-11-21T00:00:00"),
    (UUID, "0193-aaaa-0000-7000-8000000000000000"),
    (UUID, 1),
    (Decimal, "much"),
    (Decimal, "Infinity"),
    (Decimal, True),
    (Colour, "green"),
    (Size, True),
    (Size, 1.0),
    (Point, {"x": "1"}),
    (User, {"user_id": 1}),
]


@pytest.mark.parametrize(("hint", "value"), REFUSED_FROM_THE_WIRE, ids=lambda value: str(value)[:40])
def test_json_of_another_type_is_refused_where_it_runs(hint: Any, value: Any):
    with pytest.raises(ArgumentError, match=r"shop\.do: argument 'x': "):
        taking(hint).read([value], {})


def test_int_may_be_a_float():
    assert there_and_back(float, 1) == 1.0


def test_pydantic_model_may_be_given_as_the_dict_that_it_is_made_of():
    assert there_and_back(User, {"userId": 1}) == User(userId=1)


def test_decimal_may_be_a_json_number_for_producers_that_have_no_decimals():
    assert taking(Decimal).read([12.5], {}) == ([Decimal("12.5")], {})
    assert taking(Decimal).read([12], {}) == ([Decimal(12)], {})


def test_unannotated_argument_takes_any_json_value():
    schema = parameters(lambda x: x)

    assert schema.write([(1, [None])], {}) == ([[1, [None]]], {})
    assert schema.read([{"a": 1}], {}) == ([{"a": 1}], {})


def test_refusal_shows_the_value_but_not_all_of_a_long_one():
    with pytest.raises(ArgumentError) as caught:
        taking(int).write(["x" * 10_000], {})

    assert "xxx" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_value_that_contains_itself_is_refused():
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(ArgumentError, match="argument 'x'"):
        taking(list).write([endless], {})


def test_missing_argument_is_named():
    def do(user_id: int, subject: str = "Hi") -> None: ...

    with pytest.raises(
        ArgumentError, match=r"shop\.do\(user_id: int, subject: str = 'Hi'\): missing .*'user_id'"
    ):
        parameters(do).write([], {"subject": "x"})


def test_unexpected_and_surplus_arguments_are_refused():
    def do(x: int) -> None: ...

    with pytest.raises(ArgumentError, match="'y'"):
        parameters(do).write([1], {"y": 2})
    with pytest.raises(ArgumentError, match="too many"):
        parameters(do).read([1, 2], {})
    with pytest.raises(ArgumentError, match="multiple values"):
        parameters(do).write([1], {"x": 2})


def test_defaults_are_left_to_the_function():
    def do(x: int, y: int = 5) -> None: ...

    assert parameters(do).write([1], {}) == ([1], {})


def test_each_of_star_args_and_of_star_kwargs_is_checked():
    def do(first: str, *numbers: int, **flags: bool) -> None: ...

    schema = parameters(do)

    assert schema.write(["a", 1, 2], {"on": True}) == (["a", 1, 2], {"on": True})
    with pytest.raises(ArgumentError, match="'numbers'"):
        schema.write(["a", 1, "2"], {})
    with pytest.raises(ArgumentError, match="'off'"):
        schema.read(["a"], {"off": 0})


def test_star_kwargs_may_bear_the_names_of_other_parameters():
    def do(first: str, /, *rest: int, **flags: bool) -> None: ...

    assert parameters(do).write(["a"], {"first": True, "rest": False}) == (
        ["a"],
        {"first": True, "rest": False},
    )


def test_keyword_only_and_positional_only_parameters_keep_their_types():
    def do(x: int, /, *, when: date) -> None: ...

    schema = parameters(do)

    assert schema.write([1], {"when": date(2026, 1, 1)}) == ([1], {"when": "2026-01-01"})
    assert schema.read([1], {"when": "2026-01-01"}) == ([1], {"when": date(2026, 1, 1)})


def test_first_parameter_of_a_bound_task_is_no_argument():
    def do(self: Any, x: int) -> None: ...

    assert parameters(do, is_bound=True).write([1], {}) == ([1], {})


def test_hint_that_cannot_be_resolved_names_task_argument_and_hint():
    def do(user: int, ghost: list[Ghost]) -> None: ...

    with pytest.raises(ConfigurationError) as caught:
        parameters(do)

    message = str(caught.value)
    assert "shop.do" in message
    assert "'ghost'" in message
    assert "list[Ghost]" in message
    assert "TYPE_CHECKING" in message


def test_hint_that_nothing_can_check_names_task_and_argument():
    class Opaque: ...

    with pytest.raises(ConfigurationError, match=r"shop\.do: 'x' is .*Opaque"):
        taking(Opaque)


def test_enum_of_values_that_json_has_not_is_refused_at_first_use():
    class Corner(Enum):
        TOP = (0, 1)

    with pytest.raises(ConfigurationError, match=r"Corner\.TOP"):
        taking(Corner)


def test_pydantic_s_complaint_names_the_field():
    class Order(pydantic.BaseModel):
        amount: Annotated[int, pydantic.Field(gt=0)]

    with pytest.raises(ArgumentError, match=r"argument 'x': amount: Input should be greater than 0"):
        taking(Order).read([{"amount": 0}], {})


class TestReturned:
    """Results, lenient where arguments are strict: by now the work is done."""

    def returning(self, hint: Any) -> Returned:
        def do() -> Any: ...

        do.__annotations__["return"] = hint
        return Returned(do, task="shop.do")

    @pytest.mark.parametrize(
        ("hint", "value"),
        [
            (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
            (Point, Point(1, 2.0)),
            (int, 3),
            (tuple[int, str], (1, "a")),
        ],
    )
    def test_result_comes_back_as_annotated(self, hint: Any, value: Any):
        returned = self.returning(hint)

        assert returned.read(json.loads(json.dumps(returned.write(value)))) == value

    def test_result_that_does_not_fit_its_annotation_travels_as_it_is(self):
        assert self.returning(int).write("three") == "three"
        assert self.returning(int).read("three") == "three"

    def test_result_without_annotation_is_any_json_value(self):
        assert Returned(lambda: None, task="shop.do").write({"a": (1, 2)}) == {"a": [1, 2]}

    def test_annotation_that_nothing_can_check_is_passed_over(self):
        class Opaque: ...

        assert self.returning(Opaque).write(1) == 1

    @pytest.mark.parametrize(
        "value", [object(), {1: 2}, float("nan"), {1, 2}], ids=["object", "number as key", "nan", "set"]
    )
    def test_result_that_is_no_json_value_is_an_encode_error_that_names_the_task(self, value: Any):
        with pytest.raises(EncodeError, match=r"shop\.do: its result"):
            self.returning(Any).write(value)

    def test_result_that_contains_itself_is_an_encode_error(self):
        endless: list[Any] = []
        endless.append(endless)

        with pytest.raises(EncodeError):
            self.returning(list).write(endless)


def test_signature_of_the_function_is_left_as_it_was():
    def do(x: int) -> str: ...

    before = inspect.signature(do)
    parameters(do)

    assert inspect.signature(do) == before
