"""Sending: messages as publications, and what the server's answers to them mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pika.exceptions import AMQPError

from cloudq.brokers.rabbitmq.frames import Properties
from cloudq.brokers.rabbitmq.messages import properties_of
from cloudq.brokers.rabbitmq.publisher import NO_EXCHANGE, UNROUTABLE, Publication, Publisher
from cloudq.brokers.rabbitmq.topology import TOPICS, Topology
from cloudq.brokers.rabbitmq.urls import Address
from cloudq.clock import Clock
from cloudq.delivery import Accepted, NotSent, Outgoing
from cloudq.errors import MessageTooLargeError, QueueNotFoundError

__all__ = ["LARGEST_BODY", "Sender"]

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes. Source: RabbitMQ 4, rabbit.max_message_size, read 2026-11 (older ones take 128 MiB)."""

_LARGEST_PROPERTIES = 120_000
"""Bytes: a content header is one frame, of 128 KiB at most."""


class Sender:
    """Sends.

    Args:
        publisher: What publishes.
        topology: What declares the ways of delays.
        address: The server, for errors' texts.
        clock: Time.
    """

    def __init__(self, publisher: Publisher, topology: Topology, address: Address, clock: Clock) -> None:
        self._publisher = publisher
        self._topology = topology
        self._address = address
        self._clock = clock

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        """As `Broker.send`."""
        answers = self._send(queue, messages, lambda message: self._way(queue, message.delay))
        if answers and all(answer is UNROUTABLE or answer is NO_EXCHANGE for answer in answers):
            self._topology.forget(queue)
            raise QueueNotFoundError(
                f"There is no queue {queue!r} on RabbitMQ at {self._address}, or no way into it: declare it "
                "first.",
                queue=queue,
            )
        return answers

    def send_to_topic(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        """As `Broker.publish`."""
        self._topology.declare_topics()
        answers = self._send(topic, messages, lambda _: (TOPICS, topic), is_mandatory=False)
        if answers and all(answer is NO_EXCHANGE for answer in answers):
            raise QueueNotFoundError(
                f"There is no exchange {TOPICS!r} on RabbitMQ at {self._address}: it was deleted, and with "
                "it all subscriptions. Declare the queues that subscribe.",
                queue=topic,
            )
        return answers

    def _send(
        self,
        target: str,
        messages: Sequence[Outgoing],
        way: Callable[[Outgoing], tuple[str, str]],
        *,
        is_mandatory: bool = True,
    ) -> list[Accepted]:
        now = self._clock.now()
        for message in messages:
            self.check_size(target, message.body)
        answers: list[Accepted] = []
        publications: list[Publication] = []
        for message in messages:
            coded = _coded(message, now)
            if isinstance(coded, NotSent):
                answers.append(coded)
                continue
            exchange, key = way(message)
            publications.append(Publication(message.id, exchange, key, coded, message.body, is_mandatory))
            answers.append(UNROUTABLE)
        published = iter(self.publish(publications))
        return [next(published) if answer is UNROUTABLE else answer for answer in answers]

    def publish(self, publications: Sequence[Publication]) -> list[Accepted]:
        """Publish what was made by `publication`; what has no way is told the topology.

        Raises:
            BrokerUnavailableError: The server can't be reached; nothing was sent.
        """
        answers = self._publisher.publish(publications)
        for publication, answer in zip(publications, answers, strict=True):
            if answer is UNROUTABLE and publication.exchange:
                self._topology.forget(publication.routing_key.rpartition(".")[2])
            elif answer is NO_EXCHANGE:
                self._topology.forget_exchanges()
        return answers

    def publication(self, queue: str, properties: Properties, body: bytes, delay: float) -> Publication:
        """A message that goes into a queue, after a delay perhaps."""
        exchange, key = self._way(queue, delay)
        return Publication(properties.id, exchange, key, properties.encode(), body)

    def check_size(self, queue: str, body: bytes) -> None:
        """Refuse a body that is too large.

        Raises:
            MessageTooLargeError: It is.
        """
        if len(body) > LARGEST_BODY:
            raise MessageTooLargeError(
                f"A message for {queue!r} has {len(body)} bytes, RabbitMQ takes {LARGEST_BODY}: keep what is "
                "large elsewhere and send its name.",
                queue=queue,
                size_bytes=len(body),
                limit_bytes=LARGEST_BODY,
            )

    def _way(self, queue: str, delay: float) -> tuple[str, str]:
        """The exchange and the routing key that lead into a queue."""
        return self._topology.declare_delay(queue, delay) if delay > 0 else ("", queue)


def _coded(message: Outgoing, now: float) -> bytes | NotSent:
    try:
        coded = properties_of(message, now).encode()
    except (AMQPError, ValueError) as error:
        return NotSent(f"its id or an attribute can't travel: {error}", retryable=False)
    if len(coded) > _LARGEST_PROPERTIES:
        return NotSent(f"its attributes have {len(coded)} bytes: 120,000 is the most", retryable=False)
    return coded
