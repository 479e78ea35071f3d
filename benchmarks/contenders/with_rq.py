"""RQ without results; what starts its workers says that they fork for no task."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

from redis import Redis
from rq import Queue  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.contenders.work import ADDRESS, QUEUE, nap, noop, stamp

_BATCH = 1000

_functions = {function.__name__: function for function in (noop, stamp, nap)}
_queue = Queue(QUEUE, connection=Redis.from_url(ADDRESS))

CALLS = {name: partial(_queue.enqueue, function, result_ttl=0) for name, function in _functions.items()}


def many(task: str, calls: Sequence[tuple[Any, ...]]) -> None:
    """Send a thousand with one call."""
    rest = iter(calls)
    while batch := list(islice(rest, _BATCH)):
        _queue.enqueue_many([Queue.prepare_data(_functions[task], call, result_ttl=0) for call in batch])
