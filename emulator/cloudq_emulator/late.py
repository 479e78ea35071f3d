"""Lambda and CloudFormation: loaded by the first request that needs them; it takes most of a second."""

from __future__ import annotations

import asyncio
import gc
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloudq_emulator.clock import MovableClock
    from cloudq_emulator.lambda_.killing import Killer
    from cloudq_emulator.lambda_.mapping import MappingRunner
    from cloudq_emulator.sqs.service import SqsService

_SERVICES: Final = frozenset({"cloudformation", "lambda"})
"""Functions and mappings are made through these alone."""


class LateServices:
    """Makes moto's CloudFormation and Lambda do what they don't by themselves, once somebody asks for either.

    Args:
        sqs: Where mappings poll.
        clock: The emulator's clock.
        killer: Kills functions when a fault is ordered.
    """

    def __init__(self, sqs: SqsService, clock: MovableClock, killer: Killer) -> None:
        self._sqs = sqs
        self._clock = clock
        self._killer = killer
        self._mappings: MappingRunner | None = None
        self._loading: asyncio.Task[None] | None = None

    async def prepare(self, service: str) -> None:
        """Return once requests to `service` may go to moto."""
        if service not in _SERVICES:
            return
        if self._loading is None:
            self._loading = asyncio.create_task(self._load())
        # A client that goes away cancels its own wait only.
        await asyncio.shield(self._loading)

    async def reset(self) -> None:
        """Stop every mapping and function."""
        if self._mappings is not None:
            await self._mappings.reset()

    async def stop(self) -> None:
        """Stop everything for good."""
        if self._loading is not None:
            await asyncio.gather(self._loading, return_exceptions=True)
        if self._mappings is not None:
            await self._mappings.stop()

    async def _load(self) -> None:
        # Imported in a thread, so that queues are served meanwhile.
        stacks = await asyncio.to_thread(import_module, "cloudq_emulator.stacks")
        await asyncio.to_thread(import_module, "cloudq_emulator.lambda_.invoking")
        stacks.install()
        from cloudq_emulator.lambda_.mapping import MappingRunner

        mappings = MappingRunner(
            service=self._sqs, clock=self._clock, endpoint=self._sqs.origin, killer=self._killer
        )
        await mappings.start()
        self._mappings = mappings
        gc.freeze()
