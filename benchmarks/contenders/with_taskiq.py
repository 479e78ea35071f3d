"""taskiq: tasks are coroutines; its worker is told to acknowledge after the run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from benchmarks.contenders import work

_BATCH = 100
_PREFETCH = 100
"""As many as a process runs at once, so that it isn't RabbitMQ's prefetch of ten that holds it."""


def _broker() -> Any:
    if work.BROKER == "redis":
        from taskiq_redis import RedisStreamBroker  # pyright: ignore[reportMissingImports] - the peers'

        return RedisStreamBroker(url=work.ADDRESS, queue_name=work.QUEUE)
    if work.BROKER == "sqs":
        import boto3  # pyright: ignore[reportMissingTypeStubs]
        from taskiq_aio_sqs import SQSBroker  # pyright: ignore[reportMissingImports] - the peers'

        client: Any = boto3.client("sqs", region_name="us-east-1", endpoint_url=work.ADDRESS)  # pyright: ignore[reportUnknownMemberType]
        client.create_queue(QueueName=work.QUEUE)
        return SQSBroker(
            endpoint_url=work.ADDRESS,
            sqs_queue_name=work.QUEUE,
            region_name="us-east-1",
            wait_time_seconds=20,
            max_number_of_messages=10,
        )
    from taskiq_aio_pika import AioPikaBroker, Exchange, Queue, QueueType  # pyright: ignore[reportMissingImports] - the peers'

    return AioPikaBroker(
        work.ADDRESS,
        qos=_PREFETCH,
        exchange=Exchange(name=work.QUEUE),
        task_queues=[Queue(name=work.QUEUE, type=QueueType(work.VARIANT))],
        dead_letter_queue=Queue(name=f"{work.QUEUE}-dead", type=QueueType(work.VARIANT)),
    )


broker = _broker()


@broker.task
async def noop(number: int) -> None:
    """Do next to nothing."""
    work.noop(number)


@broker.task
async def stamp(sent: int) -> None:
    """Note how many microseconds ago this was sent."""
    work.stamp(sent)


@broker.task
async def nap(number: int, seconds: float) -> None:
    """Wait, as for a network."""
    await asyncio.sleep(seconds)
    work.noop(number)


_loop = asyncio.new_event_loop()
_is_started = False

CALLS = {"noop": noop.kiq, "stamp": stamp.kiq, "nap": nap.kiq}


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it where the broker was started."""
    global _is_started  # noqa: PLW0603 - a process sends in one way, from one thread
    if not _is_started:
        _is_started = True
        _loop.run_until_complete(broker.startup())
    _loop.run_until_complete(coroutine)


def close() -> None:
    """Disconnect."""
    run(broker.shutdown())


def many(task: str, calls: Sequence[tuple[Any, ...]]) -> None:
    """Send a hundred at once."""

    async def gather() -> None:
        for first in range(0, len(calls), _BATCH):
            await asyncio.gather(*(CALLS[task](*call) for call in calls[first : first + _BATCH]))

    run(gather())
