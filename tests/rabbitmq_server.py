"""Where tests find a RabbitMQ server, and how they leave nothing there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pika

from cloudq.brokers.rabbitmq import RabbitmqBroker, connect, delays
from cloudq.clock import Clock, SystemClock
from tests.needs import missing

URL = os.environ.get("CLOUDQ_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/")


class AheadClock(SystemClock):
    """The machine's clock and how far it was moved ahead: leases follow it; delays are the server's."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def advance(self, seconds: float) -> None:
        self._ahead += seconds

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        left = 1.0 if until is None else max(0.0, until - self.monotonic())
        condition.wait(self.real(left))

    def sleep(self, seconds: float) -> None:
        time.sleep(self.real(seconds))

    def real(self, seconds: float) -> float:
        return min(seconds, 0.01)


def pika_connection() -> pika.BlockingConnection:
    """An independent client's connection."""
    parameters = pika.URLParameters(URL)
    parameters.socket_timeout = 2
    try:
        return pika.BlockingConnection(parameters)
    except pika.exceptions.AMQPConnectionError as error:
        missing(f"no RabbitMQ (CLOUDQ_TEST_RABBITMQ_URL names another than {URL}): {error!r}")


@contextmanager
def broker_on_server(options: str = "", clock: Clock | None = None) -> Iterator[RabbitmqBroker]:
    """A broker; the queues that it declares are deleted afterwards."""
    pika_connection().close()
    patience = (
        f"{options}&timeout=60" if options else "?timeout=60"
    )  # a machine that is busy is slow, not wrong
    broker = connect(URL + patience, clock=clock or SystemClock())
    try:
        yield broker
    finally:
        names = broker.queues()
        broker.close()
        delete(*names)


def delete(*queues: str) -> None:
    """Delete queues, and where their delayed messages wait: a server has room for a few hundred."""
    connection = pika_connection()
    channel = connection.channel()
    for queue in queues:
        for name in (queue, *(delays.level_queue(queue, level) for level in range(delays.LEVELS))):
            channel.queue_delete(name)
    connection.close()
