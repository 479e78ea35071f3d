"""Counting, naming, purging."""

from __future__ import annotations

from typing import Any

from cloudq.brokers.base import QueueStats
from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import Transport
from cloudq.errors import QueueNotFoundError
from cloudq.queues import dead_letter_name

__all__ = ["Inspection"]

PAGE = 1000
"""Queues a page. Source: SQS API Reference, ListQueues, read 2026-11."""

_READY, _LEASED, _DELAYED = _COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Inspection:
    """Looks into queues.

    Args:
        transport: What carries the requests.
        addresses: Where the queues are.
        names: How they are called on AWS.
    """

    def __init__(self, transport: Transport, addresses: Addresses, names: Names) -> None:
        self._transport = transport
        self._addresses = addresses
        self._names = names

    def stats(self, queue: str) -> QueueStats:
        """As `Broker.stats`. The age of the oldest message is known to CloudWatch only."""
        counts = self._counts(queue)
        return QueueStats(
            ready=counts[_READY], leased=counts[_LEASED], delayed=counts[_DELAYED], dead=self._dead(queue)
        )

    def queues(self) -> list[str]:
        """As `Inspector.queues`: those that bear the prefix."""
        params: dict[str, Any] = {"MaxResults": PAGE}
        if self._names.prefix:
            params["QueueNamePrefix"] = self._names.prefix
        urls: list[str] = []
        while True:
            answer = self._transport.call("ListQueues", **params)
            urls += answer.get("QueueUrls", ())
            if not answer.get("NextToken"):
                return [self._names.short(url.rpartition("/")[2]) for url in urls]
            params["NextToken"] = answer["NextToken"]

    def purge(self, queue: str) -> None:
        """As `Inspector.purge`; SQS allows it once in 60 seconds."""
        self._transport.call("PurgeQueue", QueueUrl=self._addresses.of(queue))

    def _dead(self, queue: str) -> int:
        try:
            return sum(self._counts(dead_letter_name(queue)).values())
        except QueueNotFoundError:
            return 0

    def _counts(self, queue: str) -> dict[str, int]:
        answer = self._transport.call(
            "GetQueueAttributes", QueueUrl=self._addresses.of(queue), AttributeNames=list(_COUNTS)
        )
        return {name: int(answer["Attributes"].get(name, 0)) for name in _COUNTS}
