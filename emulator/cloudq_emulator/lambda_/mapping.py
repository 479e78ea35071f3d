"""Event source mappings that run: from SQS queues to Lambda functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudq.clock import Clock
    from cloudq_emulator.sqs.service import SqsService


class MappingRunner:
    """Runs every enabled event source mapping that moto's Lambda knows, in all accounts and regions.

    It also makes `Invoke` run functions, so a server needs nothing else for Lambda.

    Args:
        service: Where queues are read and settled.
        clock: The emulator's clock; batching windows follow it.
        endpoint: The emulator's own URL; functions get it as AWS_ENDPOINT_URL.
    """

    def __init__(self, *, service: SqsService, clock: Clock, endpoint: str) -> None:
        self._service = service
        self._clock = clock
        self._endpoint = endpoint

    async def start(self) -> None:
        """Begin to watch for mappings; call it once moto is loaded, on the loop that serves requests."""

    async def stop(self) -> None:
        """Stop polling and end every function's process."""
