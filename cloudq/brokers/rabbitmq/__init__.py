"""Queues on RabbitMQ: quorum queues, or classic ones.

| module | what it is |
|---|---|
| `broker`, `links` | the parts put together, in each process anew |
| `frames`, `handshake`, `holdings`, `delays` | pure: AMQP's bytes, a connection's beginning, leases, routes |
| `sockets`, `connection` | the thread that reads, and those that write |
| `publisher`, `sender` | sending, with confirmations |
| `streams`, `receiver` | receiving: a channel a queue |
| `settle` | acks, releases, dead letters |
| `topology`, `inspection`, `messages`, `refusals`, `urls` | queues and exchanges; counts; headers; errors |
"""

from __future__ import annotations

from cloudq.brokers.rabbitmq.broker import RabbitmqBroker
from cloudq.brokers.rabbitmq.urls import parse
from cloudq.clock import Clock

__all__ = ["RabbitmqBroker", "connect"]


def connect(url: str, *, clock: Clock) -> RabbitmqBroker:
    """Make a broker from `amqp[s]://user:password@host[:port]/vhost`; it connects on first use.

    Raises:
        ConfigurationError: The URL is misspelt.
    """
    return RabbitmqBroker(parse(url), clock)
