"""One ReceiveMessage."""

from __future__ import annotations

from typing import Any

from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.delays import lease_seconds
from cloudq.brokers.sqs.deliveries import SYSTEM_ATTRIBUTES, delivery_of
from cloudq.brokers.sqs.transport import Transport
from cloudq.clock import Clock
from cloudq.delivery import Delivery
from cloudq.message import new_id
from cloudq.queues import FIFO_SUFFIX

__all__ = ["MAX_MESSAGES", "ReceiveRequests"]

MAX_MESSAGES = 10
"""Of one ReceiveMessage. Source: SQS API Reference, ReceiveMessage, read 2026-11."""


class ReceiveRequests:
    """Asks SQS for messages.

    Args:
        transport: What carries the requests.
        addresses: Where the queues are.
        clock: Says when a request was sent.
    """

    def __init__(self, transport: Transport, addresses: Addresses, clock: Clock) -> None:
        self._transport = transport
        self._addresses = addresses
        self._clock = clock

    def receive(self, queue: str, *, limit: int, lease: float, wait: int) -> list[Delivery]:
        """Make one request.

        Args:
            queue: Where to look.
            limit: At most so many messages, ten or less.
            lease: Seconds.
            wait: Whole seconds, 20 or less.
        """
        url = self._addresses.of(queue)
        now = self._clock.now()
        # With it, botocore's retry of a receive whose answer was lost is given the same messages again,
        # instead of waiting for their groups to come free.
        # Source: SQS API Reference, ReceiveMessage, ReceiveRequestAttemptId, read 2026-11.
        attempt: dict[str, Any] = (
            {"ReceiveRequestAttemptId": new_id(now)} if queue.endswith(FIFO_SUFFIX) else {}
        )
        answer = self._transport.call(
            "ReceiveMessage",
            QueueUrl=url,
            MaxNumberOfMessages=limit,
            VisibilityTimeout=lease_seconds(lease, received_at=None, now=now),
            WaitTimeSeconds=wait,
            MessageSystemAttributeNames=SYSTEM_ATTRIBUTES,
            MessageAttributeNames=["All"],
            **attempt,
        )
        return [delivery_of(queue, message, now) for message in answer.get("Messages", ())]
