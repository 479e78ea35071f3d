"""taskiq-aio-sqs, acknowledging after the run."""

from __future__ import annotations

import asyncio

import boto3  # pyright: ignore[reportMissingTypeStubs]
from taskiq_aio_sqs import SQSBroker  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.requests.contenders.work import ENDPOINT, work

boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="taskiq")  # pyright: ignore[reportUnknownMemberType]
broker = SQSBroker(
    endpoint_url=ENDPOINT,
    sqs_queue_name="taskiq",
    region_name="us-east-1",
    wait_time_seconds=20,
    max_number_of_messages=10,
)


@broker.task
def task(number: int, seconds: float) -> None:
    """Work."""
    work(number, seconds)


async def _send(count: int, seconds: float) -> None:
    await broker.startup()
    for number in range(count):
        await task.kiq(number, seconds)
    await broker.shutdown()


def send(count: int, seconds: float) -> None:
    """One after the other."""
    asyncio.run(_send(count, seconds))


async def _gather(count: int, seconds: float) -> None:
    await broker.startup()
    for start in range(0, count, 32):
        await asyncio.gather(*(task.kiq(number, seconds) for number in range(start, min(start + 32, count))))
    await broker.shutdown()


def send_one_by_one(count: int, seconds: float) -> None:
    """32 at once."""
    asyncio.run(_gather(count, seconds))
