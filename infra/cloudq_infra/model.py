"""What an app needs on AWS: queues, functions, a table. Pure: from the registry to values."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cloudq.brokers.sqs.broker import RECEIVE_ALLOWANCE
from cloudq.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cloudq.app import App
    from cloudq.queues import Queue
    from cloudq.tasks import Task

LONGEST_FUNCTION: Final = 900
"""Seconds that a function may run. Source: Lambda quotas, read 2026-11."""

RESERVE: Final = 5
"""Seconds between a task's time limit and its function's timeout: to store results and to settle."""

USUAL_TIMEOUT: Final = 60
"""A function's timeout in seconds where no task asks for more."""

VISIBILITY_FACTOR: Final = 6
"""Visibility timeouts in function timeouts.

Source: AWS Lambda Developer Guide, "Creating and configuring an SQS event source mapping", read 2026-11.
"""

MOST_RECEIVES: Final = 1_000
"""The largest maxReceiveCount. Source: SQS Developer Guide, dead-letter queues, read 2026-11.

FIFO queues get it: a message that is given back for the sake of its group's order has not failed.
"""

BATCH_SIZE: Final = 10
MAX_CONCURRENCY: Final = 5
"""Batches of one queue at a time; enough to begin with, and it bounds what a flood costs."""


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """The Lambda function that empties a queue.

    Args:
        logical_id: Its name in the template.
        timeout: Seconds it may run.
    """

    logical_id: str
    timeout: int


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """A queue with its dead-letter queue.

    Args:
        name: The queue's name, without the prefix.
        dead_letter: The dead-letter queue's.
        logical_id: What the template calls it; derived from the name alone, so that nothing but a new name
            makes a new queue.
        is_fifo: Whether both are FIFO.
        visibility: Visibility timeout in seconds.
        max_receives: Receives after which SQS itself moves a message away: the net under crashes.
        function: What empties it; None leaves it to workers.
        levels: The names of its higher levels of priority, each a queue with the same dead-letter queue.
    """

    name: str
    dead_letter: str
    logical_id: str
    is_fifo: bool
    visibility: int
    max_receives: int
    function: FunctionPlan | None
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All that an app needs.

    Args:
        app: Where the app is found: `module` or `module:attribute`.
        title: The app's name.
        queues: Its queues, by name.
        table: The results table without the prefix; None where results lie elsewhere.
    """

    app: str
    title: str
    queues: tuple[QueuePlan, ...]
    table: str | None


def plan(spec: str, app: App) -> Plan:
    """Plan an app's infrastructure.

    Args:
        spec: What `-A` was given.
        app: The app, all its tasks registered.

    Raises:
        ConfigurationError: A task doesn't fit a Lambda function, or two queues' names are too alike.
    """
    queues = tuple(_queue(queue, _tasks_of(app, queue.name)) for _, queue in sorted(app.queues.items()))
    _refuse_alike(queues)
    return Plan(app=spec, title=app.name, queues=queues, table=_table(app))


def logical_id(name: str) -> str:
    """A name for templates, letters and digits only: `feed-items.fifo` is `FeedItemsFifo`."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name))


def _queue(queue: Queue, tasks: Sequence[Task[..., Any]]) -> QueuePlan:
    function = _function(queue, tasks) if queue.consumer == "lambda" else None
    retries = max((task.options.policy.retries for task in tasks), default=0)
    return QueuePlan(
        name=queue.name,
        dead_letter=queue.dead_letter,
        logical_id=logical_id(queue.name),
        is_fifo=queue.is_fifo,
        visibility=function.timeout * VISIBILITY_FACTOR if function else math.ceil(queue.lease_seconds),
        # A retry is a receive too, and so is what throttling and records that go back unrun cost: SQS is to
        # step in only where cloudq itself has not.
        max_receives=MOST_RECEIVES
        if queue.is_fifo
        else min(queue.max_receives + retries + RECEIVE_ALLOWANCE, MOST_RECEIVES),
        function=function,
        levels=tuple(level.name for level in queue.levels if level.name != queue.name),
    )


def _function(queue: Queue, tasks: Sequence[Task[..., Any]]) -> FunctionPlan:
    for task in tasks:
        if (task.options.time_limit or 0) > LONGEST_FUNCTION - RESERVE:
            raise ConfigurationError(
                f"Task {task.name}: its time limit of {task.options.time_limit:g} s doesn't fit a Lambda "
                f"function (at most {LONGEST_FUNCTION - RESERVE} s); give queue {queue.name!r} "
                "consumer='worker'."
            )
    limit = max((task.options.time_limit or 0 for task in tasks), default=0)
    return FunctionPlan(f"{logical_id(queue.name)}Function", max(math.ceil(limit) + RESERVE, USUAL_TIMEOUT))


def _tasks_of(app: App, queue: str) -> list[Task[..., Any]]:
    return [task for task in app.tasks.values() if app.queue_of(task) == queue]


def _refuse_alike(queues: Iterable[QueuePlan]) -> None:
    taken: dict[str, str] = {}
    for name in (name for queue in queues for name in (queue.name, *queue.levels)):
        other = taken.setdefault(logical_id(name), name)
        if other != name:
            raise ConfigurationError(
                f"Queues {other!r} and {name!r} would both be {logical_id(name)} in the template: rename one."
            )


def _table(app: App) -> str | None:
    # What the code or a file says only: the shell that writes the template must not show in it.
    if app.conf.source("result_backend") not in {"code", "file"}:
        return None
    scheme, _, rest = app.conf.settings.result_backend.partition("://")
    return rest.partition("?")[0] if scheme == "dynamodb" else None
