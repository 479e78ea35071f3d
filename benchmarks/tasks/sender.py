"""Sends tasks in a process of its own and says how long it took.

python -m benchmarks.tasks.sender CONTENDER one_by_one|many|naps|paced COUNT
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from time import perf_counter, sleep  # noqa: TID251 - peers have no cloudq.clock
from typing import Final

PACE: Final = 0.05
"""Seconds between two tasks of those that are sent to see how long each takes."""


def main(contender: str, how: str, count: int) -> None:
    """Send `count` tasks; one before that makes connections and queues and isn't timed."""
    module = importlib.import_module(f"benchmarks.tasks.contenders.{contender}")
    if how in {"one_by_one", "many"}:
        send = getattr(module, how)
        send(1)
    else:
        send = _paced(module.send) if how == "paced" else _naps(module.send)
    began = perf_counter()
    send(count)
    sys.stdout.write(json.dumps({"seconds": perf_counter() - began}) + "\n")


def _paced(send: Callable[[str, int], None]) -> Callable[[int], None]:
    from benchmarks.tasks.contenders.work import now

    def paced(count: int) -> None:
        for _ in range(count):
            send("stamp", now())
            sleep(PACE)

    return paced


def _naps(send: Callable[[str, int], None]) -> Callable[[int], None]:
    def naps(count: int) -> None:
        for number in range(count):
            send("nap", number)

    return naps


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
