"""Counting, naming, looking, purging."""

from __future__ import annotations

from typing import Any

from cloudq.brokers.base import QueueStats
from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.requests import MAX_MESSAGES, ReceiveRequests
from cloudq.brokers.sqs.settle import Settler
from cloudq.brokers.sqs.transport import Transport
from cloudq.delivery import Delivery
from cloudq.errors import QueueNotFoundError
from cloudq.queues import dead_letter_name

__all__ = ["Inspection"]

PAGE = 1000
"""Queues a page. Source: SQS API Reference, ListQueues, read 2026-11."""

PEEK_LEASE = 60.0
"""Seconds after which what a peek received is back, should it not come to giving it back."""
PEEK_WAIT = 1
"""Seconds. A receive that waits asks all of a queue's servers; one that doesn't asks a few, and may miss what
is there. Source: SQS Developer Guide, short and long polling, read 2026-11."""

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
        requests: What receives, to look.
        settler: What gives back.
    """

    def __init__(
        self,
        transport: Transport,
        addresses: Addresses,
        names: Names,
        requests: ReceiveRequests,
        settler: Settler,
    ) -> None:
        self._transport = transport
        self._requests = requests
        self._settler = settler
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

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """As `Inspector.peek`: SQS has no way to look, so they are received and given back.

        Of a FIFO group it shows what one request brings: it holds the group's rest back until then.
        """
        seen: list[Delivery] = []
        try:
            while len(seen) < limit:
                asked = min(MAX_MESSAGES, limit - len(seen))
                brought = self._requests.receive(queue, limit=asked, lease=PEEK_LEASE, wait=PEEK_WAIT)
                if not brought:
                    break
                seen += brought
        finally:
            self._settler.hide([(delivery, 0.0) for delivery in seen])
        return [one._replace(receipt="", receive_count=one.receive_count - 1) for one in seen]

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
