"""A task's signature as its schema: values to JSON where a call is sent, JSON to values where it runs.

Both ways check strictly: `"1"` is no int, a bool is no int, an int may be a float. The everyday types are
checked here; pydantic, slow to import, loads for models, dataclasses, constraints and unions only, and says
the same of the everyday types (`tests/property/test_arguments.py` holds the two together).
"""

from __future__ import annotations

import inspect
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, cast
from uuid import UUID

from cloudq.errors import ArgumentError, ConfigurationError, EncodeError

__all__ = ["Parameters", "Returned"]


@dataclass(frozen=True, slots=True)
class Converter:
    """One type's way to JSON and back; each raises ValueError or TypeError for what doesn't fit."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


class Parameters:
    """What a function takes.

    Args:
        function: The task's function.
        task: The task's name, for messages.
        is_bound: Whether the first parameter is the task itself and no argument.
    """

    def __init__(self, function: Callable[..., Any], *, task: str, is_bound: bool) -> None:
        self._task = task
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())[1 if is_bound else 0 :]
        self._signature = signature.replace(parameters=parameters)
        hints = _hints(function, task)
        self._converters = {p.name: _converter(hints.get(p.name, Any), task, p.name) for p in parameters}
        kinds = inspect.Parameter
        self._positional = [
            p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        ]
        self._rest = next((p.name for p in parameters if p.kind is kinds.VAR_POSITIONAL), None)
        self._keyword_rest = next((p.name for p in parameters if p.kind is kinds.VAR_KEYWORD), None)

    def write(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Check a call and turn its arguments into JSON values.

        Raises:
            ArgumentError: An argument is missing, unexpected or of the wrong type.
        """
        return self._convert(args, kwargs, "write")

    def read(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Check a call that came as JSON values and turn them into what the function takes.

        Raises:
            ArgumentError: An argument is missing, unexpected or of the wrong type.
        """
        return self._convert(args, kwargs, "read")

    def _convert(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], way: typing.Literal["write", "read"]
    ) -> tuple[list[Any], dict[str, Any]]:
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{self._task}{self._signature}: {error}.", task=self._task) from None
        names = [*self._positional, *[self._rest or ""] * (len(args) - len(self._positional))]
        return (
            [self._one(name, value, way) for name, value in zip(names, args, strict=False)],
            {name: self._one(name, value, way) for name, value in kwargs.items()},
        )

    def _one(self, name: str, value: Any, way: typing.Literal["write", "read"]) -> Any:
        converter = self._converters.get(name) or self._converters[self._keyword_rest or ""]
        try:
            return (converter.write if way == "write" else converter.read)(value)
        except (ValueError, TypeError, InvalidOperation) as error:
            raise ArgumentError(
                f"{self._task}: argument {name!r}: {error}", task=self._task, argument=name
            ) from error


class Returned:
    """What a function gives back. Lenient where arguments are strict: by now the work is done.

    Args:
        function: The task's function.
        task: The task's name, for messages.
    """

    def __init__(self, function: Callable[..., Any], *, task: str) -> None:
        self._task = task
        self._converter = _converter(_hints(function, task).get("return", Any), task, "return")

    def write(self, value: Any) -> Any:
        """A result as a JSON value.

        Raises:
            EncodeError: It can't travel as JSON, whatever its annotation.
        """
        try:
            return self._converter.write(value)
        except (ValueError, TypeError):
            try:
                return _plain_write(value)
            except (ValueError, TypeError) as error:
                raise EncodeError(f"{self._task}: its result can't travel as JSON: {error}") from error

    def read(self, value: Any) -> Any:
        """A result as the annotation says; as the JSON value that it is where it doesn't fit."""
        try:
            return self._converter.read(value)
        except (ValueError, TypeError, InvalidOperation):
            return value


def _hints(function: Callable[..., Any], task: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError) as error:
        hints = {
            name: hint for name, hint in inspect.get_annotations(function).items() if isinstance(hint, str)
        }
        blame = next(
            (name for name, hint in hints.items() if getattr(error, "name", None) in _words(hint)), "?"
        )
        raise ConfigurationError(
            f"{task}: the type of {blame!r}, {hints.get(blame, '')!r}, can't be resolved: {error}. Import it "
            "at the top of the task's module, outside `if TYPE_CHECKING`."
        ) from error


def _words(hint: str) -> set[str]:
    return set("".join(c if c.isidentifier() or c.isdigit() else " " for c in hint).split())


def _converter(hint: Any, task: str, name: str) -> Converter:
    if found := _everyday(hint):
        return found
    try:
        return _by_pydantic(hint)
    except ConfigurationError:
        raise
    except Exception as error:
        raise ConfigurationError(
            f"{task}: {name!r} is {hint!r}, which pydantic can't check: {error}"
        ) from error


def _everyday(hint: Any) -> Converter | None:
    if hint in _TABLE:
        return _TABLE[hint]
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return _enum(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return _list(inner[0])
    if origin is dict and inner[0] is str:
        return _dict(inner[1])
    if origin in (types.UnionType, typing.Union) and len(inner) == 2 and types.NoneType in inner:
        return _optional(next(kind for kind in inner if kind is not types.NoneType))
    return None


def _exactly(
    kind: type, *, write: Callable[[Any], Any] = lambda value: value, read: Callable[[Any], Any] | None = None
) -> Converter:
    def checked(value: Any) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise _mismatch(kind.__name__, value)
        return write(value)

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
    if not math.isfinite(value):
        raise ValueError(f"{value} can't travel as JSON.")
    return float(value)


def _none(value: Any) -> None:
    if value is not None:
        raise _mismatch("None", value)


def _date(value: Any) -> str:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _mismatch("date", value)
    return value.isoformat()


def _plain_write(value: Any) -> Any:
    """Any JSON value, as it is."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return _float(value)
        case list() | tuple():
            return [_plain_write(item) for item in cast("list[Any]", value)]
        case dict():
            items = cast("dict[Any, Any]", value).items()
            if wrong := [key for key, _ in items if not isinstance(key, str)]:
                raise _mismatch("a text as key", wrong[0])
            return {key: _plain_write(item) for key, item in items}
        case _:
            raise TypeError(f"{type(value).__name__} is no JSON value: annotate it, so that it can travel.")


def _container(kind: type) -> Converter:
    def checked(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _mismatch(kind.__name__, value)
        return _plain_write(value)

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
    def written(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _mismatch(f"{kind.__name__} ({', '.join(member.name for member in kind)})", value)
        return _plain_write(value.value)

    return Converter(written, kind)


def _by_pydantic(hint: Any) -> Converter:
    import pydantic

    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(hint)

    def checked(check: Callable[[], Any]) -> Any:
        try:
            return check()
        except pydantic.ValidationError as error:
            raise ValueError(_in_words(error.errors(include_url=False))) from error

    return Converter(
        lambda value: adapter.dump_python(
            checked(lambda: adapter.validate_python(value, strict=True)), mode="json"
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


_PLAIN = Converter(_plain_write, lambda value: value)

_TABLE: Mapping[Any, Converter] = {
    Any: _PLAIN,
    object: _PLAIN,
    str: _exactly(str),
    int: _exactly(int),
    bool: _exactly(bool),
    float: Converter(_float, _float),
    None: Converter(_none, _none),
    types.NoneType: Converter(_none, _none),
    list: _container(list),
    dict: _container(dict),
    datetime: _exactly(datetime, write=datetime.isoformat, read=datetime.fromisoformat),
    date: Converter(_date, _exactly(date, read=date.fromisoformat).read),
    UUID: _exactly(UUID, write=str, read=UUID),
    Decimal: _exactly(Decimal, write=str, read=Decimal),
}
