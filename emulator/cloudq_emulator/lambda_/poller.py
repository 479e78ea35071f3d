"""One event source mapping at work: receive, filter, invoke, delete."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from cloudq_emulator.lambda_ import event, filters
from cloudq_emulator.lambda_.batch import Invoke, Receive, next_step, split, succeeded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from cloudq_emulator.lambda_.runtime import Reply

logger = logging.getLogger(__name__)

RETRY_SECONDS: Final = 1.0
"""Pause after the queue or the function couldn't be reached."""

_DELETE_LIMIT: Final = 10


class Queues(Protocol):
    """What a mapping needs of SQS."""

    async def call(
        self, operation: str, params: Mapping[str, Any], *, account: str, region: str
    ) -> dict[str, Any]:
        """Run one SQS operation, in the JSON protocol's shapes."""
        ...


class Timer(Protocol):
    """What a batching window is measured with."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """An event source mapping as values.

    Args:
        id: The mapping's UUID.
        queue_arn: Where messages come from.
        function_arn: What they are given to, with its qualifier if it has one.
        batch_size: Messages in an event at most.
        window: Seconds to wait for a batch to fill.
        patterns: Filters; a message that matches none is deleted.
        reports_failures: Whether the function's response names the messages that failed.
        concurrency: Invocations at a time.
    """

    id: str
    queue_arn: str
    function_arn: str
    batch_size: int
    window: float
    patterns: tuple[str, ...]
    reports_failures: bool
    concurrency: int


class Poller:
    """Polls one queue for one function.

    Args:
        source: The mapping.
        queues: SQS.
        clock: The emulator's clock, for the batching window.
        invoke: Runs the function of an ARN on an event.
    """

    def __init__(
        self,
        source: Source,
        *,
        queues: Queues,
        clock: Timer,
        invoke: Callable[[str, bytes], Awaitable[Reply]],
    ) -> None:
        self.source = source
        self._queues = queues
        self._clock = clock
        self._invoke = invoke
        _, _, _, self._region, self._account, self._name = source.queue_arn.split(":")
        self._slots = asyncio.Semaphore(source.concurrency)
        self._batches: set[asyncio.Task[None]] = set()
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Receive no more; what has been received is given to the function first."""
        await self._stop_receiving()
        await asyncio.gather(*self._batches, return_exceptions=True)

    async def abort(self) -> None:
        """Stop at once; what is in flight becomes visible when its visibility timeout ends."""
        await self._stop_receiving()
        for task in self._batches:
            task.cancel()
        await asyncio.gather(*self._batches, return_exceptions=True)

    async def _stop_receiving(self) -> None:
        self._loop.cancel()
        await asyncio.gather(self._loop, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._slots.acquire()
            messages: list[dict[str, Any]] = []
            try:
                await self._collect(messages)
            except Exception:
                logger.warning(
                    "Can't poll a queue for Lambda.", exc_info=True, extra=self._extra("poll_failed")
                )
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                self._start_batch(messages)

    def _start_batch(self, messages: Sequence[dict[str, Any]]) -> None:
        if not messages:
            self._slots.release()
            return
        task = asyncio.create_task(self._handle(messages))
        self._batches.add(task)
        task.add_done_callback(self._batch_done)

    def _batch_done(self, task: asyncio.Task[None]) -> None:
        self._batches.discard(task)
        self._slots.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("A batch was not settled.", exc_info=error, extra=self._extra("batch_failed"))

    async def _collect(self, held: list[dict[str, Any]]) -> None:
        closes_at = 0.0
        while True:
            left = closes_at - self._clock.monotonic()
            match next_step(len(held), size=self.source.batch_size, window=self.source.window, left=left):
                case Receive(limit, wait):
                    messages = await self._receive(limit, wait)
                    if messages and not held:
                        closes_at = self._clock.monotonic() + self.source.window
                    held += messages
                case Invoke():
                    return

    async def _handle(self, messages: Sequence[Mapping[str, Any]]) -> None:
        records = [event.record(message, self.source.queue_arn) for message in messages]
        passing = [record for record in records if filters.passes(record, self.source.patterns)]
        kept = {id(record) for record in passing}
        await self._delete([record for record in records if id(record) not in kept])
        for part in split(passing):
            reply = await self._invoke(self.source.function_arn, event.payload(part))
            done = succeeded(
                part, reply.payload, failed=reply.failed, reports_failures=self.source.reports_failures
            )
            await self._delete(done)

    async def _receive(self, limit: int, wait: int) -> list[dict[str, Any]]:
        answer = await self._call(
            "ReceiveMessage",
            {
                "MaxNumberOfMessages": limit,
                "WaitTimeSeconds": wait,
                "MessageSystemAttributeNames": ["All"],
                "MessageAttributeNames": ["All"],
            },
        )
        return answer.get("Messages", [])

    async def _delete(self, records: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(records), _DELETE_LIMIT):
            entries = [
                {"Id": str(index), "ReceiptHandle": record["receiptHandle"]}
                for index, record in enumerate(records[start : start + _DELETE_LIMIT])
            ]
            await self._call("DeleteMessageBatch", {"Entries": entries})

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        url = f"http://localhost/{self._account}/{self._name}"
        return await self._queues.call(
            operation, {"QueueUrl": url, **params}, account=self._account, region=self._region
        )

    def _extra(self, action: str) -> dict[str, str]:
        return {"action": action, "queue": self._name, "function": self.source.function_arn}
