"""The broker: its parts put together."""

from __future__ import annotations

from collections.abc import Sequence

from cloudq.brokers.base import Limits, QueueStats
from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.boto import BotoTransport
from cloudq.brokers.sqs.creation import Creator
from cloudq.brokers.sqs.dead_letters import DeadLetters
from cloudq.brokers.sqs.delays import MAX_DELAY, MAX_LEASE, MAX_WAIT
from cloudq.brokers.sqs.entries import MAX_BYTES
from cloudq.brokers.sqs.inspection import Inspection
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.packing import MAX_ENTRIES
from cloudq.brokers.sqs.receive import Receiver
from cloudq.brokers.sqs.release import Releaser
from cloudq.brokers.sqs.requests import ReceiveRequests
from cloudq.brokers.sqs.send import Sender
from cloudq.brokers.sqs.settle import Settler
from cloudq.brokers.sqs.topics import MAX_TOPIC_BYTES, Topics
from cloudq.brokers.sqs.transport import Transport
from cloudq.brokers.sqs.urls import SqsUrl, is_loopback
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, Delivery, Outgoing, Reason, Release
from cloudq.queues import Queue

__all__ = ["RECEIVE_ALLOWANCE", "SqsBroker"]

RECEIVE_ALLOWANCE = 100
"""Receives beyond `Queue.max_receives` before SQS itself moves a message to its dead-letter queue."""

_LIMITS = Limits(
    max_delay=float(MAX_DELAY),
    max_body_bytes=MAX_BYTES,
    max_lease=float(MAX_LEASE),
    max_receive=100,
    max_wait=float(MAX_WAIT),
    detects_lost_ack=False,  # a standard queue takes any old receipt, to delete and to change visibility
    rewrites_on_release=False,
    any_bytes=False,
    peeks_unseen=False,
    paid_batch=MAX_ENTRIES,
    max_topic_delay=0.0,
    max_topic_body_bytes=MAX_TOPIC_BYTES,
)


class SqsBroker:
    """Queues on SQS. A `Broker` and an `Inspector`.

    Args:
        transport: What carries requests to SQS.
        sns: What carries those to SNS, whose topics are ours; None makes one that uses boto3.
        sts: What says whose account this is; None the same.
        clock: Time.
        prefix: What the queues' names on AWS begin with.
        create_queues: Whether `declare` makes what is missing; None: on a loopback endpoint only.
        receive_allowance: Receives beyond `Queue.max_receives` before SQS itself gives a message up.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        sns: Transport | None = None,
        sts: Transport | None = None,
        clock: Clock,
        prefix: str = "",
        create_queues: bool | None = None,
        receive_allowance: int = RECEIVE_ALLOWANCE,
    ) -> None:
        names = Names(prefix)
        addresses = Addresses(transport, names)
        self._transport = transport
        self._create_queues = create_queues
        self._creator = Creator(transport, addresses, names, receive_allowance)
        self._sender = Sender(transport, addresses, clock)
        self._settler = Settler(transport, addresses, clock)
        requests = ReceiveRequests(transport, addresses, clock)
        self._receiver = Receiver(
            requests,
            self._settler,
            clock,
            declare_again=self._creator.declare_again,
        )
        self._releaser = Releaser(self._sender, self._settler, clock)
        self._dead_letters = DeadLetters(self._sender, self._settler, clock, self._creator.declare_again)
        self._topics = Topics(
            transport,
            sns or BotoTransport(SqsUrl(prefix=prefix), "sns"),
            sts or BotoTransport(SqsUrl(prefix=prefix), "sts"),
            addresses=addresses,
            names=names,
            clock=clock,
            makes=self._creates,
        )
        self._inspection = Inspection(transport, addresses, names, requests, self._settler)

    @property
    def limits(self) -> Limits:
        return _LIMITS

    def declare(self, queue: Queue) -> None:
        if self._creates():
            self._creator.declare(queue)
            self._topics.subscribe(queue)

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        return self._sender.send(queue, messages)

    def publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        return self._topics.publish(topic, messages)

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        return self._receiver.receive(queues, limit=min(limit, _LIMITS.max_receive), lease=lease, wait=wait)

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        return self._settler.ack(deliveries)

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        return self._settler.extend(leases)

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        return self._releaser.release(releases)

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        return self._dead_letters.move(dead)

    def stats(self, queue: str) -> QueueStats:
        return self._inspection.stats(queue)

    def queues(self) -> list[str]:
        return self._inspection.queues()

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        return self._inspection.peek(queue, limit)

    def purge(self, queue: str) -> None:
        self._inspection.purge(queue)

    def close(self) -> None:
        """Let go of connections; polls on their way end by themselves, and what they bring is given back."""
        self._topics.close()
        self._receiver.close(self._transport.close)

    def _creates(self) -> bool:
        create = self._create_queues
        return is_loopback(self._transport.endpoint) if create is None else create
