"""SQS's query protocol: flat form parameters in, XML out, as older SDKs and hand-written clients speak it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from cloudq_emulator.sqs.engine.attributes import UNWRITABLE, is_writable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloudq_emulator.sqs.errors import SqsError

CONTENT_TYPE: Final = b"text/xml"
_NAMESPACE: Final = "http://queue.amazonaws.com/doc/2012-11-05/"

_LISTS: Final = {
    "AttributeName": "AttributeNames",
    "MessageAttributeName": "MessageAttributeNames",
    "MessageSystemAttributeName": "MessageSystemAttributeNames",
    "TagKey": "TagKeys",
    "AWSAccountId": "AWSAccountIds",
    "ActionName": "Actions",
}
"""Parameters that are lists: as they are called here, and in the JSON protocol."""

_MAPS: Final = {
    "Attribute": "Attributes",
    "MessageAttribute": "MessageAttributes",
    "MessageSystemAttribute": "MessageSystemAttributes",
    "Tag": "Tags",
}
"""Parameters that are maps, of ``Name`` or ``Key`` to ``Value``."""

_SINGULARS: Final = {plural: singular for singular, plural in (_LISTS | _MAPS).items()}
"""Names in the plural, as Java's SDKs of 2021 wrote tags, and botocore everything that is empty.

Source: github.com/aws/aws-sdk-java-v2/issues/2524, aws/aws-sdk-php/issues/694, read 2026-11.
"""

_STRUCTURES: Final = frozenset({"MessageAttribute", "MessageSystemAttribute"})
"""Of those, the ones whose values have fields: ``Value.StringValue``."""

_KINDS: Final = frozenset(_LISTS | _MAPS)
_ENTRIES: Final = re.compile(r"(\w+BatchRequestEntry)\.(\d{1,9})\.(.+)")
_ITEM: Final = re.compile(r"(\w+?)(?:\.(\d{1,9}))?(?:\.(.+))?")
"""An item of a list or a map; the only one may go without a number, as in AWS's older examples."""

_ENTITIES: Final = {'"': "&quot;", "\r": "&#xD;"}
"""As AWS writes them; a bare carriage return would be read back as a line feed."""

WITHOUT_RESULT: Final = frozenset(
    {
        "AddPermission",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "DeleteQueue",
        "PurgeQueue",
        "RemovePermission",
        "SetQueueAttributes",
        "TagQueue",
        "UntagQueue",
    }
)
"""Operations that answer nothing. Source: botocore 1.31.80, SQS service model."""


def read(form: str) -> tuple[str, dict[str, Any]]:
    """The operation, and its parameters in the JSON protocol's shape.

    Args:
        form: The body, or the URL's query string.
    """
    pairs = dict(parse_qsl(form, keep_blank_values=True))
    operation = pairs.pop("Action", "")
    params = _nest(pairs)
    if operation.endswith("Batch"):
        params.setdefault("Entries", [])  # there is no other way to write an empty list
    if "AttributeNames" in params:
        # Of the two ways to ask for system attributes, the older one counts in this protocol.
        params.pop("MessageSystemAttributeNames", None)
    return operation, params


def write(operation: str, answer: dict[str, Any], request_id: str) -> bytes:
    """An answer's body."""
    content = "".join(_elements(operation, answer))
    result = f"<{operation}Result>{content}</{operation}Result>" if content else f"<{operation}Result/>"
    if operation in WITHOUT_RESULT:
        result = ""
    return (
        f'<?xml version="1.0"?><{operation}Response xmlns="{_NAMESPACE}">{result}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ).encode()


def write_unknown() -> bytes:
    """The body for a request that names no operation."""
    return b"<UnknownOperationException/>"


def write_error(error: SqsError, request_id: str) -> bytes:
    """A refusal's body."""
    fault = "Sender" if error.status < 500 else "Receiver"
    return (
        f'<?xml version="1.0"?><ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>{fault}</Type>'
        f"<Code>{escape(error.code)}</Code>{_element('Message', error.query_message)}<Detail/></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _nest(pairs: Mapping[str, str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    entries: dict[int, dict[str, str]] = {}
    items: dict[str, dict[int, dict[str, str]]] = {}
    for name, value in pairs.items():
        if entry := _ENTRIES.fullmatch(name):
            entries.setdefault(int(entry[2]), {})[entry[3]] = value
        elif name in _SINGULARS:
            params[name] = [] if _SINGULARS[name] in _LISTS else {}
        elif (item := _ITEM.fullmatch(name)) and (kind := _SINGULARS.get(item[1], item[1])) in _KINDS:
            items.setdefault(kind, {}).setdefault(int(item[2] or 0), {})[item[3] or ""] = value
        else:
            params[name] = value
    if entries:
        params["Entries"] = [_nest(entries[number]) for number in sorted(entries)]
    for kind, numbered in items.items():
        in_order = [numbered[number] for number in sorted(numbered)]
        if kind in _LISTS:
            params[_LISTS[kind]] = [fields[""] for fields in in_order if "" in fields]
        else:
            read = _structure if kind in _STRUCTURES else _text
            named = {fields.get("Name") or fields.get("Key") or "": read(fields) for fields in in_order}
            params[_MAPS[kind]] = named
    return params


def _structure(fields: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix("Value."): value for key, value in fields.items() if key.startswith("Value.")}


def _text(fields: Mapping[str, str]) -> str:
    return fields.get("Value", "")


def _elements(operation: str, answer: Mapping[str, Any]) -> Iterator[str]:
    for name, value in answer.items():
        match name:
            case "Attributes" | "MessageAttributes":
                yield from (_named(name[:-1], "Name", *pair) for pair in value.items())
            case "Tags":
                yield from (_named("Tag", "Key", *pair) for pair in value.items())
            case "QueueUrls" | "queueUrls":
                yield from (_element("QueueUrl", url) for url in value)
            case "Messages":
                yield from (f"<Message>{''.join(_elements(operation, one))}</Message>" for one in value)
            case "Successful":
                yield from (_entry(f"{operation}ResultEntry", operation, one) for one in value)
            case "Failed":
                yield from (_entry("BatchResultErrorEntry", operation, one) for one in value)
            case _:
                yield _element(name, value)


def _entry(element: str, operation: str, fields: Mapping[str, Any]) -> str:
    return f"<{element}>{''.join(_elements(operation, fields))}</{element}>"


def _named(element: str, key: str, name: str, value: Any) -> str:
    if isinstance(value, dict):
        content = f"<Value>{''.join(_element(*field) for field in value.items())}</Value>"
    else:
        content = _element("Value", value)
    return f"<{element}>{_element(key, name)}{content}</{element}>"


def _element(name: str, value: object) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    if not is_writable(text):
        text = UNWRITABLE.sub("\ufffd", text)  # of a tag, or quoted by an error
    return f"<{name}>{escape(text, _ENTITIES)}</{name}>"
