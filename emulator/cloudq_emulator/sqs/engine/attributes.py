"""Message attributes: what AWS accepts, and the digest that clients compare.

Rules: Amazon SQS Developer Guide, "Message metadata", read 2026-11.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.errors import INVALID_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cloudq_emulator.sqs.errors import SqsError

Attributes = dict[str, Any]

_NAME: Final = re.compile(r"(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]+(?<!\.)")
_RESERVED: Final = ("aws.", "amazon.")
_TYPE: Final = re.compile(r"(String|Number|Binary)(\..+)?", re.DOTALL)
_STRING, _BINARY = b"\x01", b"\x02"
_LENGTH: Final = struct.Struct("!I").pack


def check(attributes: Mapping[str, Mapping[str, Any]]) -> Attributes:
    """Check message attributes and bring them into the stored shape, binary values as base64 text.

    Raises:
        SqsError: One is not as AWS takes it.
    """
    if len(attributes) > limits.ATTRIBUTES:
        raise INVALID_PARAMETER.error(
            text=f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{limits.ATTRIBUTES}]."
        )
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
    """Those that a receive asked for: by name, by prefix (``trace.*``), or ``All`` and ``.*``."""
    names = list(names)
    if "All" in names or ".*" in names:
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
        raise _refuse(name, "must contain a non-empty message attribute type.")
    kind = _TYPE.fullmatch(data_type)
    if kind is None or len(data_type) > limits.ATTRIBUTE_NAME_LENGTH:
        raise _refuse(
            name,
            "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, "
            "and String.",
        )
    if kind[1] == "Binary":
        return {"BinaryValue": _binary(name, value), "DataType": data_type}
    return {"StringValue": _string(name, value, kind[1]), "DataType": data_type}


def _check_name(name: str) -> None:
    if len(name) > limits.ATTRIBUTE_NAME_LENGTH:
        raise INVALID_PARAMETER.error(text="Length of message attribute name must be less than 256 bytes.")
    if not _NAME.fullmatch(name):
        raise INVALID_PARAMETER.error(
            text="Message (user) attribute name can only contain alphanumeric characters, '-', '_' and '.'; "
            f"it must not start or end with a period nor have two in a row: '{name}'."
        )
    if name.lower().startswith(_RESERVED):
        raise INVALID_PARAMETER.error(
            text=f"Message attribute name '{name}' is reserved: it begins with AWS. or Amazon."
        )


def _binary(name: str, value: Mapping[str, Any]) -> str:
    content = value.get("BinaryValue")
    if not content:
        raise _refuse(name, "must contain a non-empty message attribute value.")
    if isinstance(content, (bytes, bytearray)):
        return base64.b64encode(content).decode()
    try:
        base64.b64decode(content, validate=True)
    except binascii.Error:
        raise _refuse(name, "has a binary value that is not base64.") from None
    return content


def _string(name: str, value: Mapping[str, Any], kind: str) -> str:
    content = value.get("StringValue")
    if not content:
        if value.get("BinaryValue"):
            raise _refuse(name, f"with type '{kind}' must use field 'String'.")
        raise _refuse(name, "must contain a non-empty message attribute value.")
    if kind == "Number" and not _is_number(content):
        raise INVALID_PARAMETER.error(
            text=f"Can't cast the value of message (user) attribute '{name}' to a number."
        )
    return content


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _value_bytes(value: Mapping[str, str]) -> bytes:
    if "BinaryValue" in value:
        return base64.b64decode(value["BinaryValue"])
    return value["StringValue"].encode()


def _refuse(name: str, what: str) -> SqsError:
    return INVALID_PARAMETER.error(text=f"The message (user) attribute '{name}' {what}")
