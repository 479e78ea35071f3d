"""dramatiq on RabbitMQ with its defaults, which acknowledge after the run and don't wait for confirms.

It has no option for quorum queues; what it declares gets the argument.
"""

from __future__ import annotations

import os

import dramatiq  # pyright: ignore[reportMissingImports] - in the peers' environment
from dramatiq.brokers.rabbitmq import RabbitmqBroker  # pyright: ignore[reportMissingImports] - as above

from benchmarks.tasks.contenders.work import BROKER, note

_address, _, _option = BROKER.partition("?")
_type = _option.partition("=")[2]


class _Broker(RabbitmqBroker):  # pyright: ignore[reportUntypedBaseClass] - as above
    def _build_queue_arguments(self, queue_name: str) -> dict[str, str]:
        return {**super()._build_queue_arguments(queue_name), "x-queue-type": _type}


broker = _Broker(url=_address)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name=os.environ["BENCH_QUEUE"])  # noqa: TID251 - peers have no cloudq.config
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop.send(number)
