"""arq with its defaults, ten jobs at once, and without results; a job leaves the queue after the run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from arq import ArqRedis, func  # pyright: ignore[reportMissingImports] - in the peers' environment
from arq.connections import RedisSettings, create_pool  # pyright: ignore[reportMissingImports] - as above

from benchmarks.contenders import work

_BATCH = 100


async def _noop(_: dict[str, Any], number: int) -> None:
    work.noop(number)


async def _stamp(_: dict[str, Any], sent: int) -> None:
    work.stamp(sent)


async def _nap(_: dict[str, Any], number: int, seconds: float) -> None:
    await asyncio.sleep(seconds)
    work.noop(number)


_functions = {"noop": _noop, "stamp": _stamp, "nap": _nap}


class WorkerSettings:
    """What arq's command takes."""

    functions: ClassVar = [func(one, name=name, keep_result=0) for name, one in _functions.items()]
    redis_settings = RedisSettings.from_dsn(work.ADDRESS)
    queue_name = work.QUEUE


class NappingSettings:
    """The same for fifty jobs at once; arq sees nothing that a class inherits."""

    functions: ClassVar = WorkerSettings.functions
    redis_settings = WorkerSettings.redis_settings
    queue_name = work.QUEUE
    max_jobs = 50


_loop = asyncio.new_event_loop()
_pools: list[ArqRedis] = []


async def _enqueue(task: str, *arguments: Any) -> None:
    if not _pools:
        _pools.append(await create_pool(WorkerSettings.redis_settings, default_queue_name=work.QUEUE))
    await _pools[0].enqueue_job(task, *arguments)


CALLS = {name: partial(_enqueue, name) for name in _functions}
run = _loop.run_until_complete


def many(task: str, calls: Sequence[tuple[Any, ...]]) -> None:
    """Send a hundred at once."""

    async def gather() -> None:
        for first in range(0, len(calls), _BATCH):
            await asyncio.gather(*(_enqueue(task, *call) for call in calls[first : first + _BATCH]))

    run(gather())
