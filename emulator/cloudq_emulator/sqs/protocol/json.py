"""SQS's JSON protocol (AWS JSON 1.0, compatible with the query protocol's error codes)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudq_emulator.sqs.protocol import kinds
from cloudq_emulator.sqs.refusals import MALFORMED_REQUEST

if TYPE_CHECKING:
    from cloudq_emulator.sqs.errors import SqsError

TARGET_PREFIX: Final = b"AmazonSQS."
"""What ``X-Amz-Target`` begins with, before the operation's name."""

CONTENT_TYPE: Final = b"application/x-amz-json-1.0"


def read(body: bytes) -> dict[str, Any]:
    """A request's parameters.

    Raises:
        SqsError: The body is no JSON object.
    """
    try:
        params = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise MALFORMED_REQUEST.error(reason=error) from None
    if not isinstance(params, dict):
        raise MALFORMED_REQUEST.error(reason="it is no JSON object")
    return kinds.check(params)


def write(answer: dict[str, Any]) -> bytes:
    """An answer's body."""
    return orjson.dumps(answer)


def write_error(error: SqsError) -> tuple[bytes, bytes]:
    """A refusal's body, and the ``x-amzn-query-error`` header by which SDKs know the older code."""
    fault = "Sender" if error.status < 500 else "Receiver"
    return (
        orjson.dumps({"__type": error.shape, "message": error.message}),
        f"{error.code};{fault}".encode(),
    )
