"""The query protocol's answers for those who accept JSON, as API Gateway's integrations do.

Source: LocalStack's tests/aws/services/sqs/test_sqs.py, which AWS passes, read 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudq_emulator.sqs.protocol.query import WITHOUT_RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.errors import SqsError

CONTENT_TYPE: Final = b"application/json"
_NAMES: Final = {"Messages": "messages", "QueueUrls": "queueUrls"}
_PAIRS: Final = frozenset({"Attributes", "MessageAttributes", "Tags"})


def write(operation: str, answer: dict[str, Any], request_id: str) -> bytes:
    """An answer's body."""
    content: dict[str, Any] = {"ResponseMetadata": {"RequestId": request_id}}
    if operation not in WITHOUT_RESULT:
        content[f"{operation}Result"] = _shown(answer) or None
    return orjson.dumps({f"{operation}Response": content})


def write_error(error: SqsError, request_id: str) -> bytes:
    """A refusal's body."""
    fault = "Sender" if error.status < 500 else "Receiver"
    shown = {"Code": error.code, "Detail": None, "Message": error.query_message, "Type": fault}
    return orjson.dumps({"Error": shown, "RequestId": request_id})


def _shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {_NAMES.get(name, name): _value(name, value) for name, value in fields.items()}


def _value(name: str, value: Any) -> Any:
    if name in _PAIRS:
        key = "Key" if name == "Tags" else "Name"
        return [{key: one, "Value": of} for one, of in value.items()]
    if isinstance(value, list):
        return [_shown(one) if isinstance(one, dict) else one for one in value]
    return value
