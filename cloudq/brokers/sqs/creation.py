"""Making queues, where that isn't a template's business."""

from __future__ import annotations

import json
import logging
import math

from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import RefusedError, Transport
from cloudq.queues import FIFO_SUFFIX, Queue, is_dead_letter

__all__ = ["Creator", "max_receive_count"]

DEAD_LETTER_RETENTION = 14 * 24 * 3600
"""Seconds; the longest that SQS has. A message moved there by SQS keeps the age it had in its queue.
Source: SQS Developer Guide, dead-letter queues, read 2026-11."""
MAX_RECEIVE_COUNT = 1000
"""Source: SQS API Reference, SetQueueAttributes, RedrivePolicy, read 2026-11."""

_EXISTS = {"QueueNameExists", "QueueAlreadyExists"}

logger = logging.getLogger(__name__)


def max_receive_count(queue: Queue, allowance: int) -> int:
    """After how many receives SQS itself gives up on a message.

    That is the net under consumers that crash before they can decide anything; retries, graceful stops and
    throttled functions cost receives, too, so that it must be far above `Queue.max_receives`. In a FIFO queue
    the messages of a group that wait behind a failing one are received again and again without any fault.

    Args:
        queue: Whose messages.
        allowance: How many receives beyond `Queue.max_receives`.
    """
    return MAX_RECEIVE_COUNT if queue.is_fifo else min(MAX_RECEIVE_COUNT, queue.max_receives + allowance)


class Creator:
    """Makes queues with their dead-letter queues.

    Args:
        transport: What carries the requests.
        addresses: Learns where they are.
        names: How they are called on AWS.
        allowance: See `max_receive_count`.
    """

    def __init__(self, transport: Transport, addresses: Addresses, names: Names, allowance: int) -> None:
        self._transport = transport
        self._addresses = addresses
        self._names = names
        self._allowance = allowance
        self._declared: dict[str, Queue] = {}
        self._told: set[str] = set()

    def declare(self, queue: Queue) -> None:
        """Make a queue unless it is there; one whose attributes differ stays as it is."""
        self._declared[queue.name] = queue
        retention = {"MessageRetentionPeriod": str(DEAD_LETTER_RETENTION)}
        lease = {"VisibilityTimeout": str(math.ceil(queue.lease_seconds))}
        if is_dead_letter(queue.name):
            self._create(queue.name, {**retention, **lease})
            return
        self._create(queue.dead_letter, retention)
        policy = {
            "deadLetterTargetArn": self._arn(queue.dead_letter),
            "maxReceiveCount": str(max_receive_count(queue, self._allowance)),
        }
        self._create(queue.name, {**lease, "RedrivePolicy": json.dumps(policy)})

    def declare_again(self, queue: str) -> bool:
        """Make a queue that was declared here and has gone since; another stays missing. Tells whether."""
        if queue in self._declared:
            self.declare(self._declared[queue])
        return queue in self._declared

    def _create(self, queue: str, attributes: dict[str, str]) -> None:
        name = self._names.full(queue)
        if queue.endswith(FIFO_SUFFIX):
            attributes["FifoQueue"] = "true"
        try:
            answer = self._transport.call("CreateQueue", QueueName=name, Attributes=attributes)
        except RefusedError as error:
            if error.code not in _EXISTS:
                raise
            self._addresses.of(queue)
            self._tell(queue, name)
        else:
            self._addresses.learn(queue, answer["QueueUrl"])

    def _tell(self, queue: str, name: str) -> None:
        if queue not in self._told:
            self._told.add(queue)
            logger.info(
                "queue %r is there already and keeps its own settings, such as those of a template: "
                "nothing needs to be done",
                name,
                extra={"action": "queue_differs", "queue": queue},
            )

    def _arn(self, queue: str) -> str:
        url = self._addresses.of(queue)
        answer = self._transport.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]
