"""Who takes part on which broker, and with how many tasks: a run's length depends on it, a rate doesn't."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from benchmarks.task_queues import ARQ, CELERY, CLOUDQ, DRAMATIQ, HUEY, RQ, TASKIQ, TaskQueue

BROKERS: Final = ("sqlite", "sqs", "redis", "rabbitmq")


@dataclass(frozen=True, slots=True)
class Contender:
    """A task queue on a broker.

    Args:
        queue: Which.
        broker: One of `BROKERS`.
        variant: How the broker is used, where there are several ways.
        share: Which part of the tasks it is given: less than all where it is slow.
        singly: Which part of these is sent one by one, where it can send many with one call, too.
    """

    queue: TaskQueue
    broker: str
    variant: str = ""
    share: float = 1.0
    singly: float = 0.5

    @property
    def title(self) -> str:
        """What tables call it."""
        return (
            f"{self.queue.title}, synchronous={self.variant.upper()}"
            if self.broker == "sqlite"
            else self.queue.title
        )

    @property
    def place(self) -> str:
        """What tables put together."""
        return f"{self.broker}-{self.variant}" if self.broker == "rabbitmq" else self.broker


def _contenders() -> Iterator[Contender]:
    yield Contender(CLOUDQ, "sqlite", "normal")
    yield Contender(CLOUDQ, "sqlite", "full", singly=0.2)
    yield Contender(HUEY, "sqlite", "full", share=0.3)
    yield Contender(HUEY, "sqlite", "off")
    yield Contender(CLOUDQ, "sqs")
    yield Contender(CELERY, "sqs", share=0.1)
    yield Contender(DRAMATIQ, "sqs", share=0.15)
    yield Contender(TASKIQ, "sqs", share=0.1)
    yield Contender(CLOUDQ, "redis")
    yield Contender(TASKIQ, "redis")
    yield Contender(DRAMATIQ, "redis")
    yield Contender(HUEY, "redis")
    yield Contender(CELERY, "redis", share=0.3)
    yield Contender(ARQ, "redis", share=0.3)
    yield Contender(RQ, "redis", share=0.2)
    for kind in ("quorum", "classic"):
        yield Contender(CLOUDQ, "rabbitmq", kind, singly=0.1)
        yield Contender(DRAMATIQ, "rabbitmq", kind)
        yield Contender(TASKIQ, "rabbitmq", kind, share=0.1, singly=0.3)
        yield Contender(CELERY, "rabbitmq", kind, share=0.5)


CONTENDERS: Final = tuple(_contenders())
"""Each broker's in the order of its table; cloudq comes first, and the others are held against it."""
