"""dramatiq on SQS with its defaults, which acknowledge after the run."""

from __future__ import annotations

import dramatiq  # pyright: ignore[reportMissingImports] - in the peers' environment
from dramatiq_sqs import SQSBroker  # pyright: ignore[reportMissingImports] - as above

from benchmarks.tasks.contenders.work import BROKER, note

broker = SQSBroker(endpoint_url=BROKER, region_name="us-east-1")
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop.send(number)
