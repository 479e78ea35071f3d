"""Event source mappings that run: from SQS queues to Lambda functions."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from cloudq.clock import SystemClock
from cloudq_emulator.lambda_.environment import Surroundings
from cloudq_emulator.lambda_.functions import Functions
from cloudq_emulator.lambda_.poller import Poller, Source
from cloudq_emulator.lambda_.runtime import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction

    from cloudq_emulator.clock import MovableClock
    from cloudq_emulator.lambda_.configuration import Configuration
    from cloudq_emulator.lambda_.invoking import MotoLogs
    from cloudq_emulator.lambda_.killing import Killer
    from cloudq_emulator.lambda_.poller import Queues

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 0.2
"""How soon a new, changed or deleted mapping is noticed; AWS takes up to a minute."""

DEFAULT_CONCURRENCY: Final = 5
"""Invocations of one mapping at a time, unless it has a MaximumConcurrency.

Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings", read
2026-11: Lambda begins with five. It doesn't grow here: these are processes of one machine.
"""


class MappingRunner:
    """Runs every enabled event source mapping that moto's Lambda knows, in all accounts and regions.

    It also makes `Invoke` run functions, so a server needs nothing else for Lambda.

    Args:
        service: Where queues are read and settled.
        clock: The emulator's clock; batching windows and log lines follow it.
        endpoint: The emulator's own URL; functions get it as AWS_ENDPOINT_URL.
        killer: Kills functions when a fault is ordered.
    """

    def __init__(self, *, service: Queues, clock: MovableClock, endpoint: str, killer: Killer) -> None:
        self._service = service
        self._clock = clock
        self._endpoint = endpoint
        self._killer = killer
        self._functions: Functions | None = None
        self._logs: MotoLogs | None = None
        self._pollers: dict[str, Poller] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._uninstall: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Begin to watch for mappings; call it once moto is loaded, on the loop that serves requests."""
        from cloudq_emulator.lambda_.invoking import MotoLogs, install

        self._logs = MotoLogs()
        surroundings = Surroundings(
            endpoint=self._endpoint,
            clock=SystemClock(),
            log_clock=self._clock,
            sink=self._logs,
            killer=self._killer,
        )
        self._functions = Functions(surroundings)
        self._uninstall = install(self._functions)
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop polling and end every function's process."""
        self._uninstall()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        await self._end_all()

    async def reset(self) -> None:
        """Stop every mapping and end every process at once, after moto has forgotten them."""
        if self._logs is not None:
            self._logs.is_muted = True
        await self._end_all()
        if self._logs is not None:
            self._logs.is_muted = False

    async def _end_all(self) -> None:
        pollers, self._pollers = self._pollers, {}
        await asyncio.gather(*(poller.abort() for poller in pollers.values()))
        if self._functions is not None:
            await self._functions.stop()
        await asyncio.gather(*self._endings)

    async def _watch(self) -> None:
        while True:
            try:
                await self._follow()
            except Exception:
                logger.exception("Can't follow the event source mappings.", extra={"action": "watch_failed"})
            await asyncio.sleep(WATCH_SECONDS)

    async def _follow(self) -> None:
        sources = {source.id: source for source in _sources()}
        for id_, poller in list(self._pollers.items()):
            if sources.get(id_) != poller.source:
                del self._pollers[id_]
                self._spawn(poller.stop())
        for id_ in sources.keys() - self._pollers.keys():
            self._pollers[id_] = Poller(
                sources[id_], queues=self._service, clock=self._clock, invoke=self._invoke
            )
        if self._functions is not None:
            self._functions.retain(_exists)

    def _spawn(self, ending: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(ending)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _invoke(self, function_arn: str, payload: bytes) -> Reply:
        from cloudq_emulator.lambda_.invoking import describe

        function = _find(function_arn)
        if function is None or self._functions is None:
            return Reply.error("ResourceNotFoundException", f"Function not found: {function_arn}")
        result = await self._functions.invoke(describe(function), function.code_bytes, payload)
        return result.reply


def _backends() -> Iterator[LambdaBackend]:
    from moto.awslambda.models import lambda_backends

    for regions in list(lambda_backends.values()):
        yield from list(regions.values())


def _sources() -> Iterator[Source]:
    for backend in _backends():
        for mapping in list(backend.list_event_source_mappings("", "")):
            is_sqs = mapping.event_source_arn.split(":")[2] == "sqs"
            if is_sqs and _is_true(mapping.enabled) and _find(mapping.function_arn) is not None:
                yield _describe(mapping)


def _exists(configuration: Configuration) -> bool:
    return _find(f"{configuration.arn}:{configuration.version}") is not None


def _find(function_arn: str) -> LambdaFunction | None:
    from moto.awslambda.exceptions import UnknownAliasException, UnknownFunctionException
    from moto.awslambda.models import lambda_backends

    _, _, _, region, account, *_ = function_arn.split(":")
    try:
        return lambda_backends[account][region].get_function(function_arn)
    except (UnknownAliasException, UnknownFunctionException):
        return None


def _describe(mapping: EventSourceMapping) -> Source:
    filters = (mapping.filter_criteria or {}).get("Filters", [])
    scaling = mapping.scaling_config or {}
    return Source(
        id=mapping.uuid,
        queue_arn=mapping.event_source_arn,
        function_arn=mapping.function_arn,
        batch_size=int(mapping.batch_size),
        window=float(mapping.max_batch_window or 0),
        patterns=tuple(each["Pattern"] for each in filters),
        reports_failures="ReportBatchItemFailures" in (mapping.function_response_types or []),
        concurrency=int(scaling.get("MaximumConcurrency") or DEFAULT_CONCURRENCY),
    )


def _is_true(value: bool | str) -> bool:  # noqa: FBT001 - CloudFormation leaves booleans as text
    return str(value).lower() == "true"
