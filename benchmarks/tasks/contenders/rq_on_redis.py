"""RQ with workers that fork for no task (SimpleWorker) and keep no results."""

from __future__ import annotations

from redis import Redis
from rq import Queue  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.tasks.contenders.work import BROKER, nap_and_note, note, note_age

_BATCH = 1000

queue = Queue(connection=Redis.from_url(BROKER))


def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


def stamp(sent: int) -> None:
    """Tell how long it took to come here."""
    note_age(sent)


def nap(number: int) -> None:
    """Wait."""
    nap_and_note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        queue.enqueue(noop, number, result_ttl=0)


def many(count: int) -> None:
    """Send a thousand with one call."""
    for first in range(0, count, _BATCH):
        numbers = range(first, min(count, first + _BATCH))
        queue.enqueue_many([Queue.prepare_data(noop, (number,), result_ttl=0) for number in numbers])


def send(task: str, value: int) -> None:
    """Send one."""
    queue.enqueue({"stamp": stamp, "nap": nap}[task], value, result_ttl=0)
