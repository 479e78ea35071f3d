"""Message attributes: what AWS accepts, and the digest that clients compare.

Rules: Amazon SQS Developer Guide, "Message metadata", read 2026-11.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.refusals import (
    ATTRIBUTE_HAS_TWO_VALUES,
    ATTRIBUTE_IS_A_LIST,
    ATTRIBUTE_IS_EMPTY,
    ATTRIBUTE_IS_NO_NUMBER,
    ATTRIBUTE_NAME_BEGINS_WITH_DOT,
    ATTRIBUTE_NAME_ENDS_WITH_DOT,
    ATTRIBUTE_NAME_HAS_TWO_DOTS,
    ATTRIBUTE_NAME_IS_EMPTY,
    ATTRIBUTE_NAME_TOO_LONG,
    ATTRIBUTE_OF_OTHER_FIELD,
    ATTRIBUTE_TYPE_IS_EMPTY,
    ATTRIBUTE_TYPE_TOO_LONG,
    ATTRIBUTE_VALUE_IS_EMPTY,
    INVALID_ATTRIBUTE_CONTENTS,
    INVALID_ATTRIBUTE_NAME,
    INVALID_ATTRIBUTE_TYPE,
    RESERVED_ATTRIBUTE_NAME,
    TOO_MANY_ATTRIBUTES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Attributes = dict[str, Any]

USER: Final = "(user)"
SYSTEM: Final = "system"
"""What SQS's errors call the two kinds of attributes."""

_NAME: Final = re.compile(r"[\w.-]+")
_LISTS: Final = ("StringListValues", "BinaryListValues")
_VALUES: Final = ("StringValue", "BinaryValue")
_EVERYTHING: Final = frozenset({"All", ".*", "*"})
_RESERVED: Final = ("aws.", "amazon.")
_TYPE: Final = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_WRITABLE_ASCII: Final = bytes([9, 10, 13, *range(32, 128)])
UNWRITABLE: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 can't carry."""
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,9})?", re.ASCII)
_DIGITS, _LEAST, _MOST = 38, -128, 126
_EXACT: Final = Context(prec=1_000_000)
_STRING, _BINARY = b"\x01", b"\x02"
_LENGTH: Final = struct.Struct("!I").pack


def check(attributes: Mapping[str, Mapping[str, Any]], kind: str = USER) -> Attributes:
    """Check message attributes and bring them into the stored shape, binary values as base64 text.

    Args:
        attributes: As in a request.
        kind: What errors call them.

    Raises:
        SqsError: One is not as AWS takes it.
    """
    if len(attributes) > limits.ATTRIBUTES:
        raise TOO_MANY_ATTRIBUTES.error(count=len(attributes))
    return {name: _checked(name, value, kind) for name, value in attributes.items()}


def size_bytes(attributes: Attributes) -> int:
    """What attributes count towards a message's size: names, types and values."""
    return sum(
        len(name.encode()) + len(value["DataType"].encode()) + len(_value_bytes(value))
        for name, value in attributes.items()
    )


def digest(attributes: Attributes) -> str:
    """MD5 over names, types and values in the order of names, each preceded by its length."""
    md5 = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value["DataType"].encode()):
            md5.update(_LENGTH(len(part)) + part)
        content = _value_bytes(value)
        kind = _BINARY if "BinaryValue" in value else _STRING
        md5.update(kind + _LENGTH(len(content)) + content)
    return md5.hexdigest()


def select(attributes: Attributes, names: Iterable[str]) -> Attributes:
    """Those that a receive asked for: by name, by prefix (``trace.*``), or ``All``, ``.*`` and ``*``."""
    names = list(names)
    if not _EVERYTHING.isdisjoint(names):
        return attributes
    prefixes = tuple(name[:-2] for name in names if name.endswith(".*"))
    return {
        name: value
        for name, value in attributes.items()
        if name in names or (prefixes and name.startswith(prefixes))
    }


def _checked(name: str, value: Mapping[str, Any], kind: str) -> dict[str, str]:
    _check_name(name, kind)
    if any(value.get(field) for field in _LISTS):
        raise ATTRIBUTE_IS_A_LIST.error()
    if not value:
        raise ATTRIBUTE_IS_EMPTY.error(kind=kind, name=name)
    data_type = value.get("DataType")
    if not data_type:
        raise ATTRIBUTE_TYPE_IS_EMPTY.error(kind=kind, name=name)
    type_ = _TYPE.fullmatch(data_type)
    if type_ is None:
        raise INVALID_ATTRIBUTE_TYPE.error(kind=kind, name=name)
    if len(data_type) > limits.ATTRIBUTE_NAME_LENGTH:
        raise ATTRIBUTE_TYPE_TOO_LONG.error(kind=kind)
    field = "BinaryValue" if type_[1] == "Binary" else "StringValue"
    content = _content(name, value, field, kind)
    if type_[1] == "Number" and not _is_number(content):
        raise ATTRIBUTE_IS_NO_NUMBER.error(kind=kind, name=name)
    return {field: content, "DataType": data_type}


def _check_name(name: str, kind: str) -> None:
    if not name.strip():
        raise ATTRIBUTE_NAME_IS_EMPTY.error(kind=kind)
    if len(name) > limits.ATTRIBUTE_NAME_LENGTH:
        raise ATTRIBUTE_NAME_TOO_LONG.error(kind=kind)
    if _NAME.fullmatch(name) is None:
        raise INVALID_ATTRIBUTE_NAME.error(name=name)
    if name.lower().startswith(_RESERVED):
        raise RESERVED_ATTRIBUTE_NAME.error()
    if name.startswith("."):
        raise ATTRIBUTE_NAME_BEGINS_WITH_DOT.error(kind=kind)
    if name.endswith("."):
        raise ATTRIBUTE_NAME_ENDS_WITH_DOT.error(kind=kind)
    if ".." in name:
        raise ATTRIBUTE_NAME_HAS_TWO_DOTS.error(kind=kind)


def _content(name: str, value: Mapping[str, Any], field: str, kind: str) -> str:
    """The value in the field that goes with an attribute's type, binary ones as base64 text."""
    data_type = value["DataType"]
    if all(value.get(field) for field in _VALUES):
        raise ATTRIBUTE_HAS_TWO_VALUES.error(kind=kind, name=name)
    content = value.get(field)
    if not content:
        if any(value.get(field) for field in _VALUES):
            fitting = field.removesuffix("Value")
            raise ATTRIBUTE_OF_OTHER_FIELD.error(kind=kind, name=name, type=data_type, field=fitting)
        raise ATTRIBUTE_VALUE_IS_EMPTY.error(kind=kind, name=name, type=data_type)
    if field == "BinaryValue":
        return _binary(name, content)
    if not is_writable(content):
        raise INVALID_ATTRIBUTE_CONTENTS.error(name=name)
    return content


def _binary(name: str, content: str | bytes) -> str:
    if isinstance(content, bytes):
        return base64.b64encode(content).decode()
    try:
        base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise INVALID_ATTRIBUTE_CONTENTS.error(name=name) from None
    return content


def is_writable(text: str) -> bool:
    """Whether XML 1.0 can carry a text, and so SQS takes it."""
    # Four times as fast as the search, and nearly every text is ASCII.
    return not (text.encode().translate(None, _WRITABLE_ASCII) if text.isascii() else UNWRITABLE.search(text))


def first_unwritable(text: str) -> str:
    """The first character of a text that XML 1.0 can't carry; it must have one."""
    found = UNWRITABLE.search(text)
    assert found is not None  # noqa: S101 - the caller has asked
    return found[0]


def _is_number(text: str) -> bool:
    """Whether SQS takes a text for a number: 38 digits, between 10^-128 and 10^126.

    Source: Amazon SQS Developer Guide, "Message metadata", read 2026-11.
    """
    if not _NUMBER.fullmatch(text):
        return False
    number = Decimal(text)
    _, digits, _ = number.normalize(_EXACT).as_tuple()
    return not number or (len(digits) <= _DIGITS and _LEAST <= number.adjusted() <= _MOST)


def _value_bytes(value: Mapping[str, str]) -> bytes:
    if "BinaryValue" in value:
        return base64.b64decode(value["BinaryValue"])
    return value["StringValue"].encode()
