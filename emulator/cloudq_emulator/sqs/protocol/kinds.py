"""Of what type each parameter is, so that the actions need not ask.

Source: botocore 1.44.5, SQS service model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs.refusals import MALFORMED_REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXTS: Final = frozenset(
    {
        *(
            "BinaryValue",
            "DataType",
            "DestinationArn",
            "Id",
            "Label",
            "MessageBody",
            "MessageDeduplicationId",
        ),
        *("MessageGroupId", "NextToken", "QueueName", "QueueNamePrefix", "QueueOwnerAWSAccountId"),
        *("QueueUrl", "ReceiptHandle", "ReceiveRequestAttemptId", "SourceArn", "StringValue", "TaskHandle"),
    }
)
_NUMBERS: Final = (
    *("DelaySeconds", "MaxNumberOfMessages", "MaxNumberOfMessagesPerSecond", "MaxResults"),
    *("VisibilityTimeout", "WaitTimeSeconds"),
)
_LISTS: Final = (
    *("AWSAccountIds", "Actions", "AttributeNames", "MessageAttributeNames", "MessageSystemAttributeNames"),
    "TagKeys",
)
_MAPS: Final = ("Attributes", "Tags", "tags")
_STRUCTURES: Final = ("MessageAttributes", "MessageSystemAttributes")


def check(params: dict[str, Any]) -> dict[str, Any]:
    """Check parameters, of a request or of one of its structures; null is as good as absent.

    Raises:
        SqsError: One isn't of its type.
    """
    for name, value in params.items():
        if name in _TEXTS and type(value) is str:
            continue  # nearly all are, and this is the quickest look
        is_kind = _KINDS.get(name)
        if is_kind is not None and value is not None and not is_kind(value):
            raise MALFORMED_REQUEST.error(reason=f"{name} is of another type")
    return params


def _is_number(value: object) -> bool:
    # Text, since the query protocol has nothing else; whether it is a number, the action asks.
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_structure(value: Any) -> bool:
    return isinstance(value, dict) and _is_entries(list(value.values()))


def _is_entries(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    for item in value:
        if not isinstance(item, dict):
            return False
        check(item)
    return True


_KINDS: Final[dict[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(_TEXTS, lambda _: False),  # those that are text were passed before
    **dict.fromkeys(_NUMBERS, _is_number),
    **dict.fromkeys(_LISTS, _is_list),
    **dict.fromkeys(_MAPS, _is_map),
    **dict.fromkeys(_STRUCTURES, _is_structure),
    "Entries": _is_entries,
}
