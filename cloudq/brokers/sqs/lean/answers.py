"""What SQS answered, read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, cast

from cloudq.brokers.sqs.lean.retries import Failure

__all__ = ["Refused", "UnreadableError", "read"]

_QUERY_ERROR = "x-amzn-query-error"
"""The code as the query protocol has it, and who is at fault. Source: botocore 1.44, as seen 2026-11."""


class UnreadableError(Exception):
    """A success whose body is no JSON object."""


@dataclass(frozen=True, slots=True)
class Refused:
    """SQS said no.

    Args:
        failure: The code, the status, and how long to wait.
        text: SQS's words.
        server_time: What its clock read (seconds since the epoch); None where it didn't say.
    """

    failure: Failure
    text: str
    server_time: float | None


def read(status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any] | Refused:
    """An answer's content, or why it has none.

    Raises:
        UnreadableError: It was done, and the answer can't be read.
    """
    if status < 300:
        content = _object(body or b"{}")
        if content is None:
            raise UnreadableError(f"its answer is no JSON object: {body[:80]!r}")
        return content
    told = _object(body) or {}
    kind = str(told.get("__type") or status)
    code = headers.get(_QUERY_ERROR, kind).partition(";")[0]
    text = str(
        told.get("message") or told.get("Message") or ("" if told else body[:200].decode(errors="replace"))
    )
    failure = Failure(code.rpartition("#")[2], status, _milliseconds(headers.get("x-amz-retry-after")))
    return Refused(failure, text, _time(headers.get("date")))


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        content: object = json.loads(body)
    except ValueError:
        return None
    return cast("dict[str, Any]", content) if isinstance(content, dict) else None


def _milliseconds(text: str | None) -> float | None:
    return int(text) / 1000 if text is not None and text.isascii() and text.isdigit() else None


def _time(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except ValueError:
        return None
