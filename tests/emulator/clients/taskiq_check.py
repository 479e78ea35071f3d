"""taskiq-aio-sqs: messages there and back over aiobotocore, from a standard queue and a FIFO queue."""

from __future__ import annotations

import asyncio
import os

import aiobotocore.session
from taskiq_aio_sqs import SQSBroker

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]


async def check(queue, attributes, **options):
    session = aiobotocore.session.get_session()
    async with session.create_client("sqs", endpoint_url=ENDPOINT, region_name="eu-west-1") as sqs:
        await sqs.create_queue(QueueName=queue, Attributes=attributes)
    broker = SQSBroker(endpoint_url=ENDPOINT, sqs_queue_name=queue, region_name="eu-west-1", **options)
    broker.is_worker_process = True

    @broker.task
    async def note(word):
        return word

    await broker.startup()
    for number in range(5):
        await note.kiq(str(number))
    bodies = []
    async with asyncio.timeout(30):
        async for message in broker.listen():
            bodies.append(message.data)
            await message.ack()
            if len(bodies) == 5:
                break
    await broker.shutdown()
    assert sorted(body.count(b'"args"') for body in bodies) == [1] * 5


async def main():
    await check("plain", {})
    await check(
        "in-order.fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"}, is_fair_queue=False
    )


if __name__ == "__main__":
    asyncio.run(main())
