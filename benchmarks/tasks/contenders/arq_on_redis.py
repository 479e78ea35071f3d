"""arq with its defaults: one process, ten jobs at once, no results."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from arq import create_pool, func  # pyright: ignore[reportMissingImports] - in the peers' environment
from arq.connections import RedisSettings  # pyright: ignore[reportMissingImports] - as above

from benchmarks.tasks.contenders import NAP
from benchmarks.tasks.contenders.work import BROKER, note, note_age

_BATCH = 100

_settings = RedisSettings.from_dsn(BROKER)
_loop = asyncio.new_event_loop()
_pools: list[Any] = []


async def noop(_: dict[str, Any], number: int) -> None:
    """Do next to nothing."""
    note(number)


async def stamp(_: dict[str, Any], sent: int) -> None:
    """Tell how long it took to come here."""
    note_age(sent)


async def nap(_: dict[str, Any], number: int) -> None:
    """Wait."""
    await asyncio.sleep(NAP)
    note(number)


class WorkerSettings:
    """What arq's command takes."""

    functions: ClassVar = [func(one, keep_result=0) for one in (noop, stamp, nap)]
    redis_settings = _settings


class NappingSettings:
    """The same for fifty jobs at once; arq sees nothing that a class inherits."""

    functions: ClassVar = WorkerSettings.functions
    redis_settings = _settings
    max_jobs = 50


def one_by_one(count: int) -> None:
    """Send with one call each."""

    async def enqueue() -> None:
        pool = await _pool()
        for number in range(count):
            await pool.enqueue_job("noop", number)

    _loop.run_until_complete(enqueue())


def many(count: int) -> None:
    """Send a hundred at once."""

    async def enqueue() -> None:
        pool = await _pool()
        for first in range(0, count, _BATCH):
            numbers = range(first, min(count, first + _BATCH))
            await asyncio.gather(*(pool.enqueue_job("noop", number) for number in numbers))

    _loop.run_until_complete(enqueue())


def send(task: str, value: int) -> None:
    """Send one."""

    async def enqueue() -> None:
        await (await _pool()).enqueue_job(task, value)

    _loop.run_until_complete(enqueue())


async def _pool() -> Any:
    if not _pools:
        _pools.append(await create_pool(_settings))
    return _pools[0]
