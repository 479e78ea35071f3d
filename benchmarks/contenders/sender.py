"""Sends tasks in a process of its own and says how long it took.

python -m benchmarks.contenders.sender MODULE HOW TASK COUNT [ARGUMENT]

| how | |
| --- | --- |
| `one_by_one` | a call each, one after the other |
| `many` | with one call, or as near to that as it comes; one by one where it can't |
| `at_once` | a call each, from 32 threads or coroutines |
| `paced` | a call each, twenty a second |

A task gets its number, or when it was sent if it is `stamp`, and the argument, if there is one.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, sleep  # noqa: TID251 - peers have no cloudq.clock
from typing import Any, Final

PACE: Final = 0.05
"""Seconds between two tasks of those that are sent to see how long each takes."""

_AT_ONCE: Final = 32


def main(module: str, how: str, task: str, count: int, *arguments: float) -> None:
    """Send `count` tasks, and one before, unless paced, that makes connections and queues and isn't timed."""
    contender = importlib.import_module(f"benchmarks.contenders.{module}")
    send = {"one_by_one": _one_by_one, "many": _many, "at_once": _at_once, "paced": _paced}[how]
    if how != "paced":
        _one_by_one(contender, task, [(0, *arguments)])
    calls = [(number, *arguments) for number in range(count)]
    began = perf_counter()
    send(contender, task, calls)
    sys.stdout.write(json.dumps({"seconds": perf_counter() - began}) + "\n")
    getattr(contender, "close", lambda: None)()


def _one_by_one(contender: Any, task: str, calls: list[tuple[Any, ...]]) -> None:
    call: Callable[..., Any] = contender.CALLS[task]
    if not hasattr(contender, "run"):
        for arguments in calls:
            call(*arguments)
        return

    async def send() -> None:
        for arguments in calls:
            await call(*arguments)

    contender.run(send())


def _many(contender: Any, task: str, calls: list[tuple[Any, ...]]) -> None:
    getattr(contender, "many", lambda task, calls: _one_by_one(contender, task, calls))(task, calls)


def _at_once(contender: Any, task: str, calls: list[tuple[Any, ...]]) -> None:
    call: Callable[..., Any] = contender.CALLS[task]
    if not hasattr(contender, "run"):
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for _ in threads.map(lambda arguments: call(*arguments), calls):
                pass
        return

    async def send() -> None:
        for first in range(0, len(calls), _AT_ONCE):
            await asyncio.gather(*(call(*arguments) for arguments in calls[first : first + _AT_ONCE]))

    contender.run(send())


def _paced(contender: Any, task: str, calls: list[tuple[Any, ...]]) -> None:
    from benchmarks.contenders.work import now

    for _ in calls:
        _one_by_one(contender, task, [(now(),)])
        sleep(PACE)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), *map(float, sys.argv[5:]))
