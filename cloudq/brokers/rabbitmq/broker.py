"""The broker: its parts put together, anew in each process."""

from __future__ import annotations

from collections.abc import Sequence

from cloudq.brokers.base import Limits, QueueStats
from cloudq.brokers.rabbitmq import delays
from cloudq.brokers.rabbitmq.links import Links
from cloudq.brokers.rabbitmq.sender import LARGEST_BODY
from cloudq.brokers.rabbitmq.urls import Address
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, Delivery, Outgoing, Reason, Release
from cloudq.errors import UnsupportedError
from cloudq.processes import PerProcess
from cloudq.queues import Queue

__all__ = ["RabbitmqBroker"]


class RabbitmqBroker:
    """Queues on RabbitMQ. A `Broker` and an `Inspector`.

    Args:
        address: The server, and how it is used.
        clock: What leases are measured on; delays are the server's.
    """

    def __init__(self, address: Address, clock: Clock) -> None:
        self.limits = Limits(
            max_delay=delays.LONGEST,
            max_body_bytes=LARGEST_BODY,
            max_lease=address.ack_timeout,
            ordered_groups=False,
            answers_acks=False,
            peeks_unseen=False,
            exchanges=True,
            max_topic_delay=0.0,  # each subscriber would need a way of its own
        )
        self._address = address
        self._links = PerProcess(lambda: Links(address, clock))

    def declare(self, queue: Queue) -> None:
        if queue.is_fifo:
            raise UnsupportedError(
                f"Queue {queue.name!r}: RabbitMQ keeps no order within groups once a message is retried: use "
                "a queue without .fifo, or another broker.",
                queue=queue.name,
            )
        if queue.lease_seconds > self._address.ack_timeout:
            raise UnsupportedError(
                f"Queue {queue.name!r} has a lease of {queue.lease_seconds:g} s, RabbitMQ at {self._address} "
                f"ends a delivery after {self._address.ack_timeout:g} s (its consumer_timeout; where that is "
                "set higher, say so with ?ack_timeout= in broker_url).",
                queue=queue.name,
            )
        self._links.get().topology.declare(queue)

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        return self._links.get().sender.send(queue, messages)

    def publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        return self._links.get().sender.send_to_topic(topic, messages)

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        limit = min(limit, self.limits.max_receive)
        return self._links.get().receiver.receive(queues, limit=limit, lease=lease, wait=wait)

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        return self._links.get().settler.ack(deliveries)

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        return self._links.get().settler.extend(leases)

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        return self._links.get().settler.release(releases)

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        return self._links.get().settler.dead_letter(dead)

    def stats(self, queue: str) -> QueueStats:
        return self._links.get().inspection.stats(queue)

    def queues(self) -> list[str]:
        return self._links.get().topology.queues

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        return self._links.get().inspection.peek(queue, limit)

    def purge(self, queue: str) -> None:
        self._links.get().inspection.purge(queue)

    def close(self) -> None:
        """Let go of the connections; what is held returns to its queue at once."""
        self._links.get().close()
