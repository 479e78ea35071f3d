"""What every contender's task does: wait as long as it is told to, and note that it was run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]  # noqa: TID251 - peers have no cloudq.config
THREADS = 32

_notes = os.open(os.environ["BENCH_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)  # noqa: TID251 - as above


def work(number: int, seconds: float) -> None:
    """Wait, then note an execution: one write, which the kernel keeps whole."""
    if seconds:
        time.sleep(seconds)  # noqa: TID251 - peers have no clock
    os.write(_notes, b"%07d\n" % number)


def from_threads(send: Callable[[int], object], count: int) -> None:
    """Call `send` once for each number, from several threads."""
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(send, range(count)):
            pass
