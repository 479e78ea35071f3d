"""Queues as an app declares them, and the routes that lead a task to one."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, cast

from cloudq.config import is_route_options
from cloudq.errors import ConfigurationError

__all__ = [
    "Queue",
    "Route",
    "base_name",
    "check_topic",
    "dead_letter_name",
    "is_dead_letter",
    "priority_of",
    "route",
    "source_name",
]

FIFO_SUFFIX = ".fifo"
"""What AWS makes every FIFO queue's name end in. Source: SQS CreateQueue, read 2026-11."""

DEFAULT_LEASE = 60.0
LONGEST_LEASE = 43_200.0
"""Twelve hours, in seconds. Source: SQS Developer Guide, visibility timeout, read 2026-11."""

MOST_PRIORITIES = 10
"""Each level is a queue that workers ask and AWS bills for."""

_DEAD = "-dead"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,70}(--p[1-9])?(\.fifo)?")
_LEVEL = re.compile(r"--p([1-9])$")

LONGEST_TOPIC = 100
_TOPIC = re.compile(r"[A-Za-z0-9_]+([-.][A-Za-z0-9_]+)*")

Route = tuple[str | re.Pattern[str], Mapping[str, Any]]
"""A task's exact name, a glob or a regular expression, and the options it leads to: `{"queue": "media"}`,
`{"queue": "media", "priority": 2}`."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A named place for messages.

    Args:
        name: Letters, digits, `-`, `_`; a name that ends in `.fifo` keeps the order within each group.
        lease: Seconds that a received message is hidden from others; workers keep it alive. None takes the
            setting `task_lease`.
        max_receives: Receives that no failure of the task explains (crashes, kills) after which a message
            is taken for poison and dead-lettered.
        consumer: Who empties it once deployed: a long-polling worker or a Lambda function.
        topics: What it subscribes to: it gets a copy of each message that is published to one of them. A FIFO
            queue subscribes to topics whose names end in `.fifo`, as AWS demands.
        priorities: How many levels of priority it has: 0, the usual one, up to `priorities - 1`, which goes
            first. Each is a queue of its own on the broker, all with one dead-letter queue.
        exchange: An AMQP exchange that it is bound to, for what others publish there; RabbitMQ only.
        exchange_type: `topic`, `fanout` or `direct`; the exchange is declared so.
        routing_key: What of the exchange's messages it gets: `user.*`, on a topic exchange.
    """

    name: str
    lease: float | timedelta | None = None
    max_receives: int = 10
    consumer: Literal["worker", "lambda"] = "worker"
    topics: Sequence[str] = ()
    priorities: int = 1
    exchange: str | None = None
    exchange_type: Literal["topic", "fanout", "direct"] = "topic"
    routing_key: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"Queue name {self.name!r}: use 1 to 70 letters, digits, '-' and '_', and '.fifo' at the end "
                "of a FIFO queue's."
            )
        if not 1 <= self.lease_seconds <= LONGEST_LEASE:
            raise ConfigurationError(
                f"Queue {self.name!r}: a lease is 1 to 43,200 seconds, not {self.lease}."
            )
        if self.consumer not in ("worker", "lambda"):
            raise ConfigurationError(
                f"Queue {self.name!r}: consumer is 'worker' or 'lambda', not {self.consumer!r}."
            )
        if self.max_receives < 1:
            raise ConfigurationError(f"Queue {self.name!r}: max_receives is 1 or more.")
        self._check_priorities()
        if self.exchange_type not in ("topic", "fanout", "direct"):
            raise ConfigurationError(
                f"Queue {self.name!r}: exchange_type is 'topic', 'fanout' or 'direct', "
                f"not {self.exchange_type!r}."
            )
        if self.routing_key and not self.exchange:
            raise ConfigurationError(f"Queue {self.name!r}: a routing_key needs an exchange.")
        if isinstance(self.topics, str):
            raise ConfigurationError(
                f"Queue {self.name!r}: topics={self.topics!r} is to be a tuple of names."
            )
        for topic in self.topics:
            check_topic(topic)
            if self.is_fifo and not topic.endswith(FIFO_SUFFIX):
                raise ConfigurationError(
                    f"Queue {self.name!r} is FIFO, topic {topic!r} is not: only what is published to a topic "
                    f"whose name ends in {FIFO_SUFFIX!r} has an order."
                )

    def _check_priorities(self) -> None:
        if type(self.priorities) is not int or not 1 <= self.priorities <= MOST_PRIORITIES:
            raise ConfigurationError(
                f"Queue {self.name!r}: priorities is a number of levels from 1 to {MOST_PRIORITIES}, not "
                f"{self.priorities!r}."
            )
        if self.priorities > 1 and self.is_fifo:
            raise ConfigurationError(f"Queue {self.name!r} is FIFO: it has one order, and no priorities.")
        if self.priorities > 1 and _LEVEL.search(self.name):
            raise ConfigurationError(f"Queue {self.name!r} is a level of {base_name(self.name)!r} itself.")

    @property
    def lease_seconds(self) -> float:
        if self.lease is None:
            return DEFAULT_LEASE
        return self.lease.total_seconds() if isinstance(self.lease, timedelta) else float(self.lease)

    @property
    def is_fifo(self) -> bool:
        return self.name.endswith(FIFO_SUFFIX)

    @property
    def dead_letter(self) -> str:
        """The name of its dead-letter queue."""
        return dead_letter_name(self.name)

    @property
    def levels(self) -> tuple[Queue, ...]:
        """The queues that it is on a broker, the one of the highest priority first."""
        higher = [
            replace(
                self, name=f"{self.name}--p{priority}", priorities=1, topics=(), exchange=None, routing_key=""
            )
            for priority in range(self.priorities - 1, 0, -1)
        ]
        return (*higher, replace(self, priorities=1))


def check_topic(name: object) -> None:
    """Refuse what can't be the name of a topic on every broker.

    Raises:
        ConfigurationError: The text says what can.
    """
    if not isinstance(name, str) or len(name) > LONGEST_TOPIC or not _TOPIC.fullmatch(name):
        raise ConfigurationError(
            f"Topic name {name!r}: use at most {LONGEST_TOPIC} letters, digits and '_', with single '-' and "
            "'.' between them, as in 'orders.created'."
        )


def dead_letter_name(queue: str) -> str:
    """The dead-letter queue of a queue and its levels; a FIFO queue's is FIFO, as AWS demands."""
    queue = base_name(queue)
    stem = queue.removesuffix(FIFO_SUFFIX)
    return f"{stem}{_DEAD}{queue[len(stem) :]}"


def base_name(queue: str) -> str:
    """The queue of which this is a level of priority; itself where it is none."""
    return _LEVEL.sub("", queue)


def priority_of(queue: str) -> int:
    """Which level of priority a queue is on a broker."""
    found = _LEVEL.search(queue)
    return int(found[1]) if found else 0


def is_dead_letter(queue: str) -> bool:
    """Whether a queue is the dead-letter queue of another."""
    return queue.removesuffix(FIFO_SUFFIX).endswith(_DEAD)


def source_name(dead_letter: str, named: str = "") -> str:
    """Where a message of a dead-letter queue came from.

    Args:
        dead_letter: The dead-letter queue.
        named: What its reason says; it counts where it has this dead-letter queue.
    """
    if named and dead_letter_name(named) == dead_letter:
        return named
    stem = dead_letter.removesuffix(FIFO_SUFFIX)
    return f"{stem.removesuffix(_DEAD)}{dead_letter[len(stem) :]}"


def route(
    task: str,
    routes: Iterable[Route]
    | Mapping[str | re.Pattern[str], Mapping[str, Any]]
    | Callable[[str], Mapping[str, Any] | None],
) -> Mapping[str, Any]:
    """The options of the first route that fits a task's name; empty where none does.

    Raises:
        ConfigurationError: A function's answer is neither None nor options.
    """
    if not routes:
        return {}
    if callable(routes):
        return _answered(task, routes(task))
    pairs = cast("Iterable[Route]", routes.items() if isinstance(routes, Mapping) else routes)
    for pattern, options in pairs:
        if _fits(task, pattern):
            return options
    return {}


def _answered(task: str, answer: object) -> Mapping[str, Any]:
    if answer is None:
        return {}
    if not is_route_options(answer):
        raise ConfigurationError(
            f"The function task_routes answers {answer!r} for {task!r}: None, or options such as "
            '{"queue": "media", "priority": 1}, are expected.'
        )
    return cast("Mapping[str, Any]", answer)


def _fits(task: str, pattern: str | re.Pattern[str]) -> bool:
    if isinstance(pattern, str):
        return task == pattern or fnmatch.fnmatchcase(task, pattern)
    return pattern.fullmatch(task) is not None
