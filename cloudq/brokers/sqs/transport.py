"""The seam between this broker and HTTP: one call, and the errors that this broker tells apart."""

from __future__ import annotations

from typing import Any, Protocol

from cloudq.errors import BrokerError, BrokerUnavailableError

__all__ = ["AnswerLostError", "BusyError", "RefusedError", "Transport"]


class AnswerLostError(BrokerUnavailableError):
    """The request was sent and no answer came: what it asked for may have been done."""


class BusyError(BrokerUnavailableError):
    """SQS answered: not now. It can be reached, and may do the same for another queue."""


class RefusedError(BrokerError):
    """SQS said no, and would say so again.

    Args:
        message: What happened and what to do.
        queue: The queue that it happened to.
        code: SQS's error code, without its service prefix.
    """

    def __init__(self, message: str, *, queue: str | None, code: str) -> None:
        super().__init__(message, queue=queue)
        self.code = code


class Transport(Protocol):
    """Carries requests to SQS. Thread-safe, and usable in a forked child."""

    @property
    def endpoint(self) -> str:
        """The server's address."""
        ...

    @property
    def region(self) -> str:
        """AWS's name for the region."""
        ...

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make one request, repeated as botocore's standard retry rules say.

        Args:
            operation: As in the API Reference: `SendMessageBatch`.
            params: As botocore takes them.

        Raises:
            ConfigurationError: No credentials, no region.
            AnswerLostError: It may have been done.
            BusyError: It was not done: throttled, over a limit that passes.
            BrokerUnavailableError: It was not done: unreachable.
            QueueNotFoundError: There is no such queue.
            RefusedError: SQS refused for another reason.
        """
        ...

    def close(self) -> None:
        """Let go of idle connections."""
        ...
