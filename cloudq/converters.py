"""One type's way to JSON and back.

The everyday types are checked here; pydantic, slow to import, loads for models, dataclasses, constraints and
unions only, and says the same of the everyday types (`tests/property/test_arguments.py` holds the two
together).

| piece | what it is |
|---|---|
| `converter` | finds a type's converter |
| `PLAIN` | any JSON value, as it is |
| `MISFITS` | what converting a value raises when it doesn't fit |
"""

from __future__ import annotations

import inspect
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, cast
from uuid import UUID

from cloudq.errors import ConfigurationError

__all__ = ["MISFITS", "PLAIN", "Converter", "converter"]


MISFITS = (ValueError, TypeError, InvalidOperation, OverflowError, RecursionError)
"""What converting a value raises when it doesn't fit."""

_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt _]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d(:\d\d(\.\d{1,6})?)?)?"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Converter:
    """One type's way to JSON and back; each raises one of `MISFITS` for what doesn't fit."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def converter(hint: Any, task: str, name: str) -> Converter:
    """Find a type's converter.

    Args:
        hint: The type, as annotated.
        task: The task's name, for messages.
        name: The parameter's name, for messages.

    Raises:
        ConfigurationError: Values of this type can't be checked, or can't travel.
    """
    try:
        return _everyday(hint) or _by_pydantic(hint)
    except Exception as error:  # pydantic's come from several trees
        why = str(error).partition("\n")[0]
        raise ConfigurationError(f"{task}: {name!r} is {hint!r}, which can't be checked: {why}") from error


def _everyday(hint: Any) -> Converter | None:  # noqa: PLR0911 - one return a kind of type
    if found := _listed(hint):
        return found
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return _enum(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (list, dict) and not inner:  # typing.List, typing.Dict
        return _TABLE[origin]
    if origin is list:
        return _list(inner[0])
    if origin is dict and inner[0] is str:
        return _dict(inner[1])
    if origin in (types.UnionType, typing.Union) and len(inner) == 2 and types.NoneType in inner:
        return _optional(next(kind for kind in inner if kind is not types.NoneType))
    return None


def _listed(hint: Any) -> Converter | None:
    try:
        return _TABLE.get(hint)
    except TypeError:  # an Annotated whose metadata has no hash
        return None


def _exactly(
    kind: type, *, write: Callable[[Any], Any] | None = None, read: Callable[[Any], Any] | None = None
) -> Converter:
    def checked(value: Any) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _mismatch(kind.__name__, value)
        return value if write is None else write(value)

    def parsed(value: Any) -> Any:
        if not isinstance(value, str):
            raise _mismatch(f"{kind.__name__} as text", value)
        return cast("Callable[[Any], Any]", read)(value)

    return Converter(checked, checked if read is None else parsed)


def _mismatch(expected: str, value: Any) -> TypeError:
    shown = repr(value)
    shown = shown if len(shown) < 80 else shown[:77] + "..."
    return TypeError(f"{expected} is expected, not {shown} ({type(value).__name__}).")


def _float(value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise _mismatch("float", value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value} can't travel as JSON.")
    return number


def _none(value: Any) -> None:
    if value is not None:
        raise _mismatch("None", value)


def _date(value: Any) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _mismatch("date", value)
    return value.isoformat()


def _read_datetime(text: str) -> datetime:
    if not _DATETIME.fullmatch(text):
        raise ValueError(f"{text!r} is no RFC 3339 time.")
    return datetime.fromisoformat(text.upper())


def _read_date(text: str) -> date:
    if not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is no date in the form YYYY-MM-DD.")
    return date.fromisoformat(text)


def _read_uuid(text: str) -> UUID:
    value = UUID(text)
    if text.lower().removeprefix("urn:uuid:").strip("{}") not in (str(value), value.hex):
        raise ValueError(f"{text!r} is no UUID: its hyphens are misplaced.")
    return value


def _write_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{value} is no finite number.")
    return str(value)


def _read_decimal(value: Any) -> Decimal:
    """A decimal from text, which is exact, or from a JSON number, which other producers may write."""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise _mismatch("Decimal as text", value)
    number = Decimal(str(value))
    _write_decimal(number)
    return number


def _plain(value: Any) -> Any:
    """Any JSON value, as it is."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return _float(value)
        case list() | tuple():
            return [_plain(item) for item in cast("list[Any]", value)]
        case dict():
            items = cast("dict[Any, Any]", value).items()
            if wrong := [key for key, _ in items if not isinstance(key, str)]:
                raise _mismatch("a text as key", wrong[0])
            return {key: _plain(item) for key, item in items}
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value: annotate it, so that it can travel.")


def _container(kind: type) -> Converter:
    def checked(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _mismatch(kind.__name__, value)
        return _plain(value)

    return Converter(checked, checked)


def _list(inner: Any) -> Converter | None:
    if (item := _everyday(inner)) is None:
        return None

    def each(value: Any, convert: Callable[[Any], Any]) -> list[Any]:
        if not isinstance(value, list):
            raise _mismatch("list", value)
        return [convert(one) for one in cast("list[Any]", value)]

    return Converter(lambda value: each(value, item.write), lambda value: each(value, item.read))


def _dict(inner: Any) -> Converter | None:
    if (item := _everyday(inner)) is None:
        return None

    def each(value: Any, convert: Callable[[Any], Any]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _mismatch("dict", value)
        items = cast("dict[Any, Any]", value).items()
        if wrong := [key for key, _ in items if not isinstance(key, str)]:
            raise _mismatch("a text as key", wrong[0])
        return {key: convert(one) for key, one in items}

    return Converter(lambda value: each(value, item.write), lambda value: each(value, item.read))


def _optional(inner: Any) -> Converter | None:
    if (item := _everyday(inner)) is None:
        return None
    return Converter(
        lambda value: None if value is None else item.write(value),
        lambda value: None if value is None else item.read(value),
    )


def _enum(kind: type[Enum]) -> Converter:
    if wrong := [one for one in kind if not isinstance(one.value, (str, int, float, types.NoneType))]:
        raise TypeError(f"the value of {wrong[0]} is neither text nor a number.")

    def written(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _mismatch(f"{kind.__name__} ({', '.join(member.name for member in kind)})", value)
        return _plain(value.value)

    def parsed(value: Any) -> Any:
        # Python finds members by equality, and True == 1 == 1.0: what is a number must come as that number.
        is_other = (issubclass(kind, int) and isinstance(value, float)) or isinstance(value, bool)
        if is_other and issubclass(kind, (int, float)):
            raise _mismatch(kind.__name__, value)
        return kind(value)

    return Converter(written, parsed)


def _by_pydantic(hint: Any) -> Converter:
    import pydantic

    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(hint)

    def checked(check: Callable[[], Any]) -> Any:
        try:
            return check()
        except pydantic.ValidationError as error:
            raise ValueError(_in_words(error.errors(include_url=False))) from error

    return Converter(
        # By alias and for the round trip: the other end must be able to validate what is written here.
        lambda value: adapter.dump_python(
            checked(lambda: adapter.validate_python(value, strict=True)),
            mode="json",
            by_alias=True,
            round_trip=True,
        ),
        lambda value: checked(lambda: adapter.validate_json(json.dumps(value), strict=True)),
    )


def _in_words(errors: Sequence[Any]) -> str:
    return (
        "; ".join(
            ".".join(map(str, error["loc"])) + (": " if error["loc"] else "") + str(error["msg"])
            for error in errors
        )
        + "."
    )


PLAIN = Converter(_plain, lambda value: value)

_TABLE: Mapping[Any, Converter] = {
    Any: PLAIN,
    object: PLAIN,
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    float: Converter(_float, _float),
    None: Converter(_none, _none),
    types.NoneType: Converter(_none, _none),
    list: _container(list),
    dict: _container(dict),
    datetime: _exactly(datetime, write=datetime.isoformat, read=_read_datetime),
    date: Converter(_date, _exactly(date, read=_read_date).read),
    UUID: _exactly(UUID, write=str, read=_read_uuid),
    Decimal: Converter(_exactly(Decimal, write=_write_decimal).write, _read_decimal),
}
