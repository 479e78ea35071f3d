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
    ATTRIBUTE_IS_NO_NUMBER,
    ATTRIBUTE_NAME_IS_EMPTY,
    ATTRIBUTE_NAME_TOO_LONG,
    ATTRIBUTE_TYPE_IS_EMPTY,
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

_NAME: Final = re.compile(r"(?!\.)(?!.*\.\.)[\w.-]+(?<!\.)")
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


def check(attributes: Mapping[str, Mapping[str, Any]]) -> Attributes:
    """Check message attributes and bring them into the stored shape, binary values as base64 text.

    Raises:
        SqsError: One is not as AWS takes it.
    """
    if len(attributes) > limits.ATTRIBUTES:
        raise TOO_MANY_ATTRIBUTES.error(count=len(attributes))
    return {name: _checked(name, value) for name, value in attributes.items()}


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


def _checked(name: str, value: Mapping[str, Any]) -> dict[str, str]:
    _check_name(name)
    data_type = value.get("DataType")
    if not data_type:
        raise ATTRIBUTE_TYPE_IS_EMPTY.error(name=name)
    kind = _TYPE.fullmatch(data_type)
    if kind is None or len(data_type) > limits.ATTRIBUTE_NAME_LENGTH:
        raise INVALID_ATTRIBUTE_TYPE.error(name=name)
    if kind[1] == "Binary":
        return {"BinaryValue": _binary(name, value), "DataType": data_type}
    return {"StringValue": _string(name, value, kind[1]), "DataType": data_type}


def _check_name(name: str) -> None:
    if not name:
        raise ATTRIBUTE_NAME_IS_EMPTY.error()
    if len(name) > limits.ATTRIBUTE_NAME_LENGTH:
        raise ATTRIBUTE_NAME_TOO_LONG.error()
    if not _NAME.fullmatch(name):
        raise INVALID_ATTRIBUTE_NAME.error(name=name)
    if name.lower().startswith(_RESERVED):
        raise RESERVED_ATTRIBUTE_NAME.error(name=name)


def _binary(name: str, value: Mapping[str, Any]) -> str:
    content = value.get("BinaryValue")
    if not content:
        raise ATTRIBUTE_VALUE_IS_EMPTY.error(name=name, kind="Binary")
    if isinstance(content, (bytes, bytearray)):
        return base64.b64encode(content).decode()
    try:
        base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise INVALID_ATTRIBUTE_CONTENTS.error(name=name) from None
    return content


def _string(name: str, value: Mapping[str, Any], kind: str) -> str:
    content = value.get("StringValue")
    if not content:
        raise ATTRIBUTE_VALUE_IS_EMPTY.error(name=name, kind=kind)
    if not is_writable(content):
        raise INVALID_ATTRIBUTE_CONTENTS.error(name=name)
    if kind == "Number" and not _is_number(content):
        raise ATTRIBUTE_IS_NO_NUMBER.error(name=name)
    return content


def is_writable(text: str) -> bool:
    """Whether XML 1.0 can carry a text, and so SQS takes it."""
    # Four times as fast as the search, and nearly every text is ASCII.
    return not (text.encode().translate(None, _WRITABLE_ASCII) if text.isascii() else UNWRITABLE.search(text))


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
