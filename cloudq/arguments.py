"""A task's signature as its schema: values to JSON where a call is sent, JSON to values where it runs.

Both ways check strictly: `"1"` is no int, a bool is no int, an int may be a float. How one type travels is
`cloudq.converters`' business.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudq.converters import MISFITS, PLAIN, converter
from cloudq.errors import ArgumentError, ConfigurationError, EncodeError

__all__ = ["Parameters", "Returned"]


class Parameters:
    """What a function takes.

    Args:
        function: The task's function.
        task: The task's name, for messages.
        is_bound: Whether the first parameter is the task itself and no argument.
    """

    def __init__(self, function: Callable[..., Any], *, task: str, is_bound: bool) -> None:
        self._task = task
        hints = _hints(function, task)
        signature = inspect.signature(function)
        parameters = [
            p.replace(annotation=hints.get(p.name, p.annotation)) for p in signature.parameters.values()
        ][1 if is_bound else 0 :]
        self._signature = inspect.Signature(parameters)
        self._converters = {p.name: converter(hints.get(p.name, Any), task, p.name) for p in parameters}
        kinds = inspect.Parameter
        self._positional = _names(parameters, kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
        self._named = _names(parameters, kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
        self._rest = "".join(_names(parameters, kinds.VAR_POSITIONAL))
        self._named_rest = "".join(_names(parameters, kinds.VAR_KEYWORD))
        is_plain = all(p.kind is kinds.POSITIONAL_OR_KEYWORD for p in parameters)
        self._places = {p.name: place for place, p in enumerate(parameters)} if is_plain else {}
        self._writers = [self._converters[name].write for name in self._places]
        self._readers = [self._converters[name].read for name in self._places]
        self._required = [p.name for p in parameters if p.default is kinds.empty]

    def write(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Check a call and turn its arguments into JSON values.

        Raises:
            ArgumentError: An argument is missing, unexpected or of the wrong type.
        """
        return self._placed(self._writers, args, kwargs) or self._convert(args, kwargs, "write")

    def read(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Check a call that came as JSON values and turn them into what the function takes.

        Raises:
            ArgumentError: An argument is missing, unexpected or of the wrong type.
        """
        return self._placed(self._readers, args, kwargs) or self._convert(args, kwargs, "read")

    def _placed(
        self, converters: Sequence[Callable[[Any], Any]], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[list[Any], dict[str, Any]] | None:
        """Nearly all calls: each argument in its place. None for others, and for what `_convert` refuses."""
        if kwargs or not len(self._required) <= len(args) <= len(converters):
            return None
        try:
            return [convert(value) for convert, value in zip(converters, args, strict=False)], {}
        except MISFITS:
            return None

    def _convert(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], way: typing.Literal["write", "read"]
    ) -> tuple[list[Any], dict[str, Any]]:
        if not self._surely_fits(len(args), kwargs):
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError as error:
                raise ArgumentError(f"{self._task}{self._signature}: {error}.", task=self._task) from None
        names = [*self._positional, *[self._rest] * (len(args) - len(self._positional))]
        return (
            [self._one(name, name, value, way) for name, value in zip(names, args, strict=False)],
            {
                name: self._one(name if name in self._named else self._named_rest, name, value, way)
                for name, value in kwargs.items()
            },
        )

    def _surely_fits(self, count: int, kwargs: Mapping[str, Any]) -> bool:
        """What `Signature.bind` says of plain parameters, in a tenth of its time; it says why not."""
        return (
            0 < len(self._places) >= count
            and all(self._places.get(name, -1) >= count for name in kwargs)
            and all(name in kwargs for name in self._required[count:])
        )

    def _one(self, parameter: str, name: str, value: Any, way: typing.Literal["write", "read"]) -> Any:
        found = self._converters[parameter]
        try:
            return (found.write if way == "write" else found.read)(value)
        except MISFITS as error:
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
        try:
            self._converter = converter(_hints(function, task).get("return", Any), task, "return")
        except ConfigurationError:
            self._converter = PLAIN

    def write(self, value: Any) -> Any:
        """A result as a JSON value.

        Raises:
            EncodeError: It can't travel as JSON, whatever its annotation.
        """
        try:
            return self._converter.write(value)
        except MISFITS:
            try:
                return PLAIN.write(value)
            except MISFITS as error:
                raise EncodeError(f"{self._task}: its result can't travel as JSON: {error}") from error

    def read(self, value: Any) -> Any:
        """A result as the annotation says; as the JSON value that it is where it doesn't fit."""
        try:
            return self._converter.read(value)
        except MISFITS:
            return value


def _names(parameters: Sequence[inspect.Parameter], *kinds: Any) -> list[str]:
    return [p.name for p in parameters if p.kind in kinds]


def _hints(function: Callable[..., Any], task: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
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
