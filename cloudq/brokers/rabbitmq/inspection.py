"""Looking into queues."""

from __future__ import annotations

from collections.abc import Sequence

from cloudq.brokers.base import QueueStats
from cloudq.brokers.rabbitmq.connection import Channel
from cloudq.brokers.rabbitmq.frames import Content, returned, spec
from cloudq.brokers.rabbitmq.messages import delivery, read, received_before
from cloudq.brokers.rabbitmq.publisher import Publisher
from cloudq.brokers.rabbitmq.receiver import Receiver
from cloudq.brokers.rabbitmq.refusals import RefusedError, meaning
from cloudq.brokers.rabbitmq.topology import Topology
from cloudq.delivery import Delivery
from cloudq.errors import QueueNotFoundError
from cloudq.queues import dead_letter_name

__all__ = ["Inspection"]


class Inspection:
    """Counts, looks, purges.

    Args:
        receiver: What this process holds.
        publisher: What calls.
        topology: What counts on the server.
    """

    def __init__(self, receiver: Receiver, publisher: Publisher, topology: Topology) -> None:
        self._receiver = receiver
        self._publisher = publisher
        self._topology = topology

    def stats(self, queue: str) -> QueueStats:
        """As `Broker.stats`; under a lease is what this process holds, RabbitMQ tells of no other."""
        if (stream := self._receiver.stream(queue)) is not None:
            ready, leased = stream.count()
        else:
            ready, leased = self._topology.count(queue), 0
        return QueueStats(
            ready=ready,
            leased=leased,
            delayed=self._topology.count_delayed(queue),
            dead=self._count_dead(queue),
        )

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """As `Inspector.peek`: what is looked at is taken and given back."""
        stream = self._receiver.stream(queue)
        ahead = stream.look() if stream is not None else []
        if limit <= len(ahead):
            return [_seen(queue, one) for one in ahead[:limit]]
        channel = self._publisher.channel()
        got: list[Content] = []
        channel.on_content = channel.answers.append
        try:
            while len(ahead) + len(got) < limit:
                answer = channel.call(spec.Basic.Get(queue=queue))
                if not isinstance(answer, Content):
                    break
                got.append(answer)
            self._give_back(channel, got)
        except RefusedError as refused:
            raise meaning(refused, queue) from refused
        return [_seen(queue, one) for one in (*ahead, *got)]

    def purge(self, queue: str) -> None:
        """As `Inspector.purge`, but for what other processes hold."""
        self._topology.purge(queue)
        if (stream := self._receiver.stream(queue)) is not None:
            stream.ack_all()

    def _count_dead(self, queue: str) -> int:
        try:
            return self._topology.count(dead_letter_name(queue))
        except QueueNotFoundError:
            return 0

    @staticmethod
    def _give_back(channel: Channel, got: Sequence[Content]) -> None:
        channel.write(b"".join(returned(channel.number, one.tag) for one in got))
        channel.close()


def _seen(queue: str, content: Content) -> Delivery:
    properties = read(content)
    before = received_before(properties, is_redelivered=content.is_redelivered)
    return delivery(queue, "", content, before, properties)
