"""The queues' URLs, asked for once each."""

from __future__ import annotations

from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import Transport

__all__ = ["Addresses"]


class Addresses:
    """Where each queue is.

    Args:
        transport: What to ask.
        names: How the queues are called on AWS.
    """

    def __init__(self, transport: Transport, names: Names) -> None:
        self._transport = transport
        self._names = names
        self._urls: dict[str, str] = {}

    def of(self, queue: str) -> str:
        """A queue's URL.

        Raises:
            QueueNotFoundError: There is no such queue.
        """
        url = self._urls.get(queue)
        if url is None:
            url = self._transport.call("GetQueueUrl", QueueName=self._names.full(queue))["QueueUrl"]
            self._urls[queue] = url
        return url

    def learn(self, queue: str, url: str) -> None:
        """Remember what another answer said."""
        self._urls[queue] = url
