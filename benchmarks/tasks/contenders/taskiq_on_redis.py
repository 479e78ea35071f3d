"""taskiq on Redis streams, acknowledging after the run; tasks are coroutines, as it recommends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from taskiq_redis import RedisStreamBroker  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders import NAP
from benchmarks.tasks.contenders.work import BROKER, note, note_age

_BATCH = 100

broker = RedisStreamBroker(url=BROKER)
_loop = asyncio.new_event_loop()
_is_started = False


@broker.task
async def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


@broker.task
async def stamp(sent: int) -> None:
    """Tell how long it took to come here."""
    note_age(sent)


@broker.task
async def nap(number: int) -> None:
    """Wait."""
    await asyncio.sleep(NAP)
    note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""

    async def kick() -> None:
        for number in range(count):
            await noop.kiq(number)

    _run(kick())


def many(count: int) -> None:
    """Send a hundred at once."""

    async def kick() -> None:
        for first in range(0, count, _BATCH):
            numbers = range(first, min(count, first + _BATCH))
            await asyncio.gather(*(noop.kiq(number) for number in numbers))

    _run(kick())


def send(task: str, value: int) -> None:
    """Send one."""
    _run({"stamp": stamp, "nap": nap}[task].kiq(value))


def _run(work: Coroutine[Any, Any, Any]) -> None:
    global _is_started  # noqa: PLW0603 - a process sends in one way, from one thread
    if not _is_started:
        _is_started = True
        _loop.run_until_complete(broker.startup())
    _loop.run_until_complete(work)
