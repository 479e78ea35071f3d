"""dramatiq on Redis with its defaults, which acknowledge after the run."""

from __future__ import annotations

import dramatiq  # pyright: ignore[reportMissingImports] - in the peers' environment
from dramatiq.brokers.redis import RedisBroker  # pyright: ignore[reportMissingImports] - as above

from benchmarks.tasks.contenders.work import BROKER, nap_and_note, note, note_age

broker = RedisBroker(url=BROKER)
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(number: int) -> None:
    """Do next to nothing."""
    note(number)


@dramatiq.actor
def stamp(sent: int) -> None:
    """Tell how long it took to come here."""
    note_age(sent)


@dramatiq.actor
def nap(number: int) -> None:
    """Wait."""
    nap_and_note(number)


def one_by_one(count: int) -> None:
    """Send with one call each."""
    for number in range(count):
        noop.send(number)


def send(task: str, value: int) -> None:
    """Send one."""
    {"stamp": stamp, "nap": nap}[task].send(value)
