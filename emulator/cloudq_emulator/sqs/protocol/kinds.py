"""Of what type each parameter is, so that the actions need not ask.

Source: botocore 1.44.5, SQS service model. AWS takes numbers and booleans for text, but no text for numbers
(github.com/Inqnuam/local-aws-sqs, symfony/symfony/pull/53910, read 2026-11).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs.refusals import (
    INTEGER_EXPECTED,
    LIST_EXPECTED,
    MAP_EXPECTED,
    NO_LIST_EXPECTED,
    NO_MAP_EXPECTED,
    STRUCTURE_EXPECTED,
    TEXT_EXPECTED,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXTS: Final = frozenset(
    {
        *("BinaryValue", "DataType", "DestinationArn", "Id", "Label", "MessageBody"),
        *("MessageDeduplicationId", "MessageGroupId", "NextToken", "QueueName", "QueueNamePrefix"),
        *("QueueOwnerAWSAccountId", "QueueUrl", "ReceiptHandle", "ReceiveRequestAttemptId", "SourceArn"),
        *("StringValue", "TaskHandle"),
    }
)
_NUMBERS: Final = frozenset(
    {
        *("DelaySeconds", "MaxNumberOfMessages", "MaxNumberOfMessagesPerSecond", "MaxResults"),
        *("VisibilityTimeout", "WaitTimeSeconds"),
    }
)
_LISTS: Final = (
    *("AWSAccountIds", "Actions", "AttributeNames", "BinaryListValues", "MessageAttributeNames"),
    *("MessageSystemAttributeNames", "StringListValues", "TagKeys"),
)
_MAPS: Final = ("Attributes", "Tags", "tags")
_STRUCTURES: Final = ("MessageAttributes", "MessageSystemAttributes")


def check(params: dict[str, Any], *, is_query: bool = False) -> dict[str, Any]:
    """Check parameters, of a request or of one of its structures; null is as good as absent.

    Args:
        params: They; numbers that stand for text become text.
        is_query: Whether they came by the query protocol, where numbers are text.

    Raises:
        SqsError: One isn't of its type.
    """
    for name, value in params.items():
        if name in _TEXTS and type(value) is str:
            continue  # nearly all are, and this is the quickest look
        if value is None:
            continue
        if name in _NUMBERS:
            if not is_query:
                _check_number(value)
        elif (read := _READERS.get(name)) is not None:
            params[name] = read(value, is_query)
    return params


def _check_number(value: object) -> None:
    if isinstance(value, bool):
        raise INTEGER_EXPECTED.error(value="TRUE_VALUE" if value else "FALSE_VALUE")
    if not isinstance(value, int):
        _refuse_collection(value)
        raise INTEGER_EXPECTED.error(value="STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE")


def _text(value: object, _is_query: bool = False) -> str:  # noqa: FBT001, FBT002 - as the other readers
    if isinstance(value, str):
        return value
    _refuse_collection(value)
    return json.dumps(value)


def _list(value: object, _is_query: bool) -> list[str]:  # noqa: FBT001 - as the other readers
    if isinstance(value, dict):
        raise NO_MAP_EXPECTED.error()
    if not isinstance(value, list):
        raise LIST_EXPECTED.error()
    return [_text(item) for item in value if item is not None]


def _map(value: object, _is_query: bool) -> dict[str, str]:  # noqa: FBT001 - as the other readers
    checked = _as_map(value)
    if any(isinstance(item, list) for item in checked.values()):
        raise TEXT_EXPECTED.error()
    return {name: _text(item) for name, item in checked.items() if item is not None}


def _structures(value: object, is_query: bool) -> dict[str, Any]:  # noqa: FBT001 - as the other readers
    checked = _as_map(value)
    return {name: _structure(item, is_query) for name, item in checked.items() if item is not None}


def _entries(value: object, is_query: bool) -> list[dict[str, Any]]:  # noqa: FBT001 - as the other readers
    if isinstance(value, dict):
        raise NO_MAP_EXPECTED.error()
    if not isinstance(value, list):
        raise LIST_EXPECTED.error()
    return [_structure(item, is_query) for item in value]


def _structure(value: Any, is_query: bool) -> dict[str, Any]:  # noqa: FBT001 - as the other readers
    if isinstance(value, list):
        raise NO_LIST_EXPECTED.error()
    if not isinstance(value, dict):
        raise STRUCTURE_EXPECTED.error()
    return check(value, is_query=is_query)


def _as_map(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        raise NO_LIST_EXPECTED.error()
    if not isinstance(value, dict):
        raise MAP_EXPECTED.error()
    return value


def _refuse_collection(value: object) -> None:
    if isinstance(value, list):
        raise NO_LIST_EXPECTED.error()
    if isinstance(value, dict):
        raise NO_MAP_EXPECTED.error()


_READERS: Final[dict[str, Callable[[object, bool], Any]]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_LISTS, _list),
    **dict.fromkeys(_MAPS, _map),
    **dict.fromkeys(_STRUCTURES, _structures),
    "Entries": _entries,
}
