"""dramatiq with its defaults, which acknowledge after the run.

On RabbitMQ it waits for no confirms, and has no option for quorum queues: what it declares gets the argument.
"""

from __future__ import annotations

from typing import Any

import dramatiq  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.contenders.work import ADDRESS, BROKER, QUEUE, VARIANT, nap, noop, stamp


def _broker() -> Any:
    if BROKER == "redis":
        from dramatiq.brokers.redis import RedisBroker  # pyright: ignore[reportMissingImports] - as above

        return RedisBroker(url=ADDRESS)
    if BROKER == "sqs":
        from dramatiq_sqs import SQSBroker  # pyright: ignore[reportMissingImports] - as above

        return SQSBroker(endpoint_url=ADDRESS, region_name="us-east-1")
    from dramatiq.brokers.rabbitmq import RabbitmqBroker  # pyright: ignore[reportMissingImports] - as above

    class Broker(RabbitmqBroker):  # pyright: ignore[reportUntypedBaseClass] - as above
        def _build_queue_arguments(self, queue_name: str) -> dict[str, str]:
            return {**super()._build_queue_arguments(queue_name), "x-queue-type": VARIANT}

    return Broker(url=ADDRESS)


dramatiq.set_broker(_broker())

CALLS = {
    function.__name__: dramatiq.actor(function, queue_name=QUEUE).send for function in (noop, stamp, nap)
}
