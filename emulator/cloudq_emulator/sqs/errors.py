"""What SQS answers when it refuses."""

from __future__ import annotations


class SqsError(Exception):
    """A refusal, as SQS words it.

    Args:
        code: The query protocol's error code, which SDKs show (``AWS.SimpleQueueService.NonExistentQueue``).
        message: SQS's own text.
        status: The HTTP status.
        shape: The JSON protocol's ``__type``, where it isn't the code (``com.amazonaws.sqs#QueueDoesNotExist``).
    """

    def __init__(self, code: str, message: str, status: int = 400, *, shape: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.shape = shape or f"com.amazonaws.sqs#{code}"
