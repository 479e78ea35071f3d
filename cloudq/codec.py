"""The wire format, version 1: one compact JSON object a message.

`docs/message.schema.json` describes it for producers in other languages. Fields at their defaults are left
out, fields that a reader doesn't know are passed over, and a version that it doesn't know is no error of the
body: a newer producer may be ahead of this reader for the length of a deploy.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, cast

from cloudq.errors import DecodeError, EncodeError, UnknownVersionError
from cloudq.message import Message

__all__ = ["VERSION", "Writer", "decode", "encode", "instant"]

VERSION = 1


class _Json:
    """`JSONEncoder.encode`, which makes its parts anew for each text and takes three times as long for it."""

    def __init__(self, *, is_ascii: bool) -> None:
        encoder = json.JSONEncoder(ensure_ascii=is_ascii, allow_nan=False, separators=(",", ":"))
        self.quote = json.encoder.encode_basestring_ascii if is_ascii else json.encoder.encode_basestring
        self.write: Callable[[object], str] = encoder.encode
        make: Any = getattr(json.encoder, "c_make_encoder", None)
        if make is not None:  # as in every CPython
            # What holds itself isn't looked for, and ends as a RecursionError.
            parts_of: Callable[[object, int], tuple[str, ...]] = make(
                None, encoder.default, self.quote, None, ":", ",", False, False, False
            )
            self.write = lambda value: "".join(parts_of(value, 0))


_JSON = _Json(is_ascii=False)
_ASCII = _Json(is_ascii=True)

_NO_CHARACTERS = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""What a Python string and, escaped, JSON may hold, but neither UTF-8 nor XML 1.0 and so SQS may.

Source: SQS API reference, SendMessage; XML 1.0, section 2.2, read 2026-11.
"""

_BEGIN = f'{{"v":{VERSION},"id":'
_OPTIONAL = (
    "retries", "generation", "retry", "root", "parent", "group", "chord", "next", "on_error", "trace",
    "headers", "ref", "topic",
)  # fmt: skip

_optional_of = attrgetter(*_OPTIONAL)

_BEHIND_REF = ("next", "on_error")
"""What lies where `ref` says, with the arguments, and is not written beside it."""

_UNWRITABLE = (TypeError, ValueError, OverflowError, RecursionError)
"""What writing raises for what is no JSON."""


def encode(message: Message) -> bytes:
    """Write a message.

    Raises:
        EncodeError: An argument is no JSON value; the text names the task.
    """
    call = (message.id, (list(message.args), dict(message.kwargs)))
    return Writer(message).write([call], message.sent)[0]


class Writer:
    """Writes messages that are alike but for their ids, arguments and times: the rest is put in words once.

    Args:
        like: One of them. Where it has a `ref`, arguments are left out: they lie there.

    Raises:
        EncodeError: What they share is no JSON.
    """

    __slots__ = ("_like", "_shared")

    def __init__(self, like: Message) -> None:
        self._like = like
        try:
            self._shared = _shared(like, _JSON)
        except _UNWRITABLE as error:
            raise self._refusal(error) from error

    def write(
        self, calls: Iterable[tuple[str, tuple[list[Any], dict[str, Any]]]], sent: str | None
    ) -> list[bytes]:
        """Write some.

        Args:
            calls: Of each the id, the positional and the named arguments.
            sent: When they were sent, as the wire has it.

        Raises:
            EncodeError: An argument is no JSON value; the text names the task.
        """
        bodies: list[bytes] = []
        for one, given in calls:
            try:
                text = self._text(one, given, sent, self._shared, _JSON)
                if not text.isascii() and _NO_CHARACTERS.search(text):
                    text = self._text(one, given, sent, _shared(self._like, _ASCII), _ASCII)
                bodies.append(text.encode())
            except _UNWRITABLE as error:
                raise self._refusal(error) from error
        return bodies

    def _text(
        self,
        id: str,
        given: tuple[list[Any], dict[str, Any]],
        sent: str | None,
        shared: tuple[str, str],
        as_json: _Json,
    ) -> str:
        (args, kwargs), (task, rest) = given, shared
        end = "}" if sent is None else f',"sent":{as_json.quote(sent)}}}'
        if self._like.ref is not None:
            return f"{_BEGIN}{as_json.quote(id)}{task}{rest}{end}"
        named = as_json.write(kwargs) if kwargs else "{}"
        return f'{_BEGIN}{as_json.quote(id)}{task},"args":{as_json.write(args)},"kwargs":{named}{rest}{end}'

    def _refusal(self, error: Exception) -> EncodeError:
        return EncodeError(f"A call of {self._like.task!r} can't travel as JSON: {error}.")


def _shared(like: Message, as_json: _Json) -> tuple[str, str]:
    """What stands before and behind the arguments, but for the id and when it was sent."""
    parts: list[str] = []
    if any(values := _optional_of(like)):
        behind = () if like.ref is None else _BEHIND_REF
        given = zip(_OPTIONAL, values, strict=True)
        parts = [f',"{name}":{as_json.write(value)}' for name, value in given if value and name not in behind]
    for name, at in (("eta", like.eta), ("expires", like.expires)):
        if at is not None:
            parts.append(f',"{name}":"{instant(at)}"')
    return f',"task":{as_json.quote(like.task)}', "".join(parts)


def decode(data: bytes) -> Message:
    """Read a message.

    Raises:
        UnknownVersionError: The body is of a version newer than this reader.
        DecodeError: The body is no message; the text says what is wrong with it.
    """
    fields = _object(data)
    _check_version(fields, data)
    try:
        return Message(**{name: _READERS[name](value) for name, value in fields.items() if name in _READERS})
    except (TypeError, ValueError, OverflowError) as error:
        raise DecodeError(f"The body is no cloudq message: {_complaint(fields)}.", data) from error


def _check_version(fields: Mapping[str, Any], data: bytes) -> None:
    version = fields.get("v")
    if type(version) is not int or version < VERSION:
        found = f'its "v" is {version!r}, not {VERSION}' if "v" in fields else 'it has no "v"'
        raise DecodeError(f"The body is no cloudq message: {found}.", data)
    if version > VERSION:
        raise UnknownVersionError(
            f"The body is of wire format {version}; this cloudq reads {VERSION}: upgrade it, "
            "the message waits meanwhile.",
            data,
        )


def _number(literal: str) -> float:
    """JSON allows what no float holds; let in, it couldn't be written again when the message is retried."""
    value = float(literal)
    if not math.isfinite(value):
        raise ValueError(f"{literal} is no number that can be held")
    return value


_from_json = json.JSONDecoder(parse_float=_number, parse_constant=_number).raw_decode


_WHITESPACE = " \t\n\r"
"""JSON's. Source: RFC 8259, section 2, read 2026-11."""


def _value(text: str) -> object:
    value, end = _from_json(text)
    if end != len(text):
        raise ValueError(f"more follows its end: {text[end : end + 20]!r}")
    return value


def _object(data: bytes) -> Mapping[str, Any]:
    try:
        value = _value(data.decode().strip(_WHITESPACE))
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"The body isn't JSON: {error}.", data) from error
    if not isinstance(value, dict):
        raise DecodeError(f"The body is no cloudq message: a JSON {_kind(value)}, not an object.", data)
    return cast("dict[str, Any]", value)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "number"


def _complaint(fields: Mapping[str, Any]) -> str:
    """What `_READERS` has against these fields, found again: reading alone needn't know which it reads."""
    for name in ("id", "task"):
        if name not in fields:
            return f'it has no "{name}"'
    for name in _READERS.keys() & fields.keys():
        try:
            _READERS[name](fields[name])
        except (TypeError, ValueError, OverflowError) as error:
            return f'its "{name}" is wrong, {error}'
    return "no field is wrong by itself"


def instant(at: float) -> str:
    """Seconds since the epoch as RFC 3339 has them."""
    second, micro = divmod(round(at * 1e6), 1_000_000)
    return f"{_second(second)}.{micro:06}Z"


@functools.lru_cache(maxsize=1024)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()


def _headers(value: object) -> Mapping[str, str]:
    headers = _map(value)
    for text in headers.values():
        _text(text)
    return headers


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is no name")
    value.encode()  # half a surrogate pair, which JSON can say, is a key in no backend
    return value


def _read_instant(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no RFC 3339 time")
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError(f"{value!r} names no offset from UTC")
    return at.timestamp()


def _of(kind: type | tuple[type, ...], words: str) -> Callable[[object], Any]:
    def read(value: object) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"{value!r} is no {words}")
        return value

    return read


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def _retry(value: object) -> Mapping[str, Any] | None:
    policy = _map_or_none(value)
    if policy and "retries" in policy:
        _count(policy["retries"])
    return policy


_text = _of(str, "string")
_array = _of(list, "array")
_map = _of(dict, "object")
_text_or_none = _of((str, type(None)), "string")
_map_or_none = _of((dict, type(None)), "object")

_READERS: Mapping[str, Callable[[object], Any]] = {
    "id": _name,
    "task": _name,
    "args": _array,
    "kwargs": _map,
    "eta": _read_instant,
    "expires": _read_instant,
    "retries": _count,
    "generation": _count,
    "retry": _retry,
    "root": _text_or_none,
    "parent": _text_or_none,
    "group": _text_or_none,
    "chord": _map_or_none,
    "next": _array,
    "on_error": _map_or_none,
    "trace": _text_or_none,
    "headers": _headers,
    "ref": _text_or_none,
    "sent": _text_or_none,  # few ask for it, and to read it takes as long as the rest
    "topic": _text_or_none,
}
