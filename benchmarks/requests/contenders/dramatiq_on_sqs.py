"""dramatiq on SQS with its defaults, which acknowledge after the run."""

from __future__ import annotations

import dramatiq  # pyright: ignore[reportMissingImports] - in the peers' environment
from dramatiq_sqs import SQSBroker  # pyright: ignore[reportMissingImports] - as above

from benchmarks.requests.contenders.work import ENDPOINT, from_threads, work

broker = SQSBroker(endpoint_url=ENDPOINT, region_name="us-east-1")
dramatiq.set_broker(broker)


@dramatiq.actor
def task(number: int, seconds: float) -> None:
    """Work."""
    work(number, seconds)


def send(count: int, seconds: float) -> None:
    """It knows no batches."""
    for number in range(count):
        task.send(number, seconds)


def send_one_by_one(count: int, seconds: float) -> None:
    """With one call each."""
    from_threads(lambda number: task.send(number, seconds), count)
