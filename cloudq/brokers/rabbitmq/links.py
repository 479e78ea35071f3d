"""What one process has of a broker: its connections, and what works on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cloudq.brokers.rabbitmq.connection import Connection
from cloudq.brokers.rabbitmq.holdings import Held
from cloudq.brokers.rabbitmq.inspection import Inspection
from cloudq.brokers.rabbitmq.publisher import Publisher
from cloudq.brokers.rabbitmq.receiver import Receiver
from cloudq.brokers.rabbitmq.sender import Sender
from cloudq.brokers.rabbitmq.settle import Settler
from cloudq.brokers.rabbitmq.streams import Stream
from cloudq.brokers.rabbitmq.topology import Topology
from cloudq.brokers.rabbitmq.urls import Address
from cloudq.clock import Clock

__all__ = ["Links"]


class Links:
    """Connects when it is first used: one connection publishes, one consumes.

    Args:
        address: The server.
        clock: Time.
    """

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        is_counting = address.queue_type == "quorum"
        self._publisher = Publisher(lambda: Connection(address, clock, "publisher"))
        self.topology = Topology(self._publisher.call, address.queue_type, clock.sleep)
        self.sender = Sender(self._publisher, self.topology, address, clock)
        self.receiver = Receiver(
            self._connect_consumer,
            clock,
            ack_timeout=address.ack_timeout,
            is_counting=is_counting,
            return_copies=self._return_copies,
        )
        self.settler = Settler(self.receiver, self.sender, clock, is_counting=is_counting)
        self.inspection = Inspection(self.receiver, self._publisher, self.topology)

    def close(self) -> None:
        """Let go of both connections."""
        self.receiver.close()
        self._publisher.close()

    def _connect_consumer(self, tick: Callable[[float], float]) -> Connection:
        return Connection(self._address, self._clock, "consumer", tick)

    def _return_copies(self, stream: Stream, expired: Sequence[Held]) -> None:
        self.settler.return_copies(stream, expired)
