"""A refusal of SQS's: what one looks like as data, and as an exception."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNVERIFIED: Final = "unverified"
"""The source of a row whose text is our own, since AWS's isn't known."""


class SqsError(Exception):
    """A refusal, as SQS words it.

    Args:
        code: The query protocol's error code, which SDKs show (``AWS.SimpleQueueService.NonExistentQueue``).
        message: SQS's own text.
        status: The HTTP status.
        shape: The JSON protocol's ``__type`` (``com.amazonaws.sqs#QueueDoesNotExist``).
        query_message: The query protocol's text, where it differs.
        entry_message: The text in a batch's entry that failed, where it differs.
    """

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        *,
        shape: str = "",
        query_message: str = "",
        entry_message: str = "",
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.shape = shape or f"com.amazonaws.sqs#{code}"
        self.query_message = query_message or message
        self.entry_message = entry_message or message


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row: how SQS words one refusal.

    Args:
        shape: The error's shape in the JSON protocol.
        code: Its code in the query protocol.
        text: Its message; braces are filled when it is raised.
        source: Where the text was seen.
        status: Its HTTP status.
        query_text: The query protocol's message, where it differs.
        entry_text: The message in a batch's entry that failed, where it differs.
        is_modelled: Whether botocore's model knows the shape.
    """

    shape: str
    code: str
    text: str
    source: str
    status: int = 400
    query_text: str = ""
    entry_text: str = ""
    is_modelled: bool = True

    def error(self, **fields: object) -> SqsError:
        """Make the exception, its text filled with `fields`."""
        return SqsError(
            self.code,
            self.text.format_map(fields),
            self.status,
            shape=self.shape if "#" in self.shape else f"com.amazonaws.sqs#{self.shape}",
            query_message=self.query_text,
            entry_message=self.entry_text.format_map(fields),
        )
