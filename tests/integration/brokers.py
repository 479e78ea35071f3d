"""Real brokers by name, for tests that run a real worker on each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cloudq
from cloudq.queues import Queue
from tests.emulator_process import EmulatorProcess
from tests.rabbitmq_server import URL, delete, pika_connection
from tests.redis_server import redis_url

BROKERS = ["sqlite", "redis", "rabbitmq", "sqs"]


@contextmanager
def environment_of(
    broker: str, folder: Path, emulator: Callable[[], EmulatorProcess]
) -> Iterator[dict[str, str]]:
    """What an app on this broker has in its environment: a default queue and results of its own."""
    results = f"sqlite:///{folder / 'results.db'}?synchronous=normal"
    default = f"trial-{uuid.uuid4().hex[:8]}"
    environment = {
        "CLOUDQ_RESULT_BACKEND": results,
        "CLOUDQ_TASK_DEFAULT_QUEUE": default,
        "TRIAL_LEVELS": f"{default}-levels",
        "CLOUDQ_TASK_LEASE": "5",
    }
    match broker:
        case "sqlite":
            yield {**environment, "CLOUDQ_BROKER_URL": f"sqlite:///{folder / 'queue.db'}?synchronous=normal"}
        case "sqs":
            yield {**environment, **emulator().environment, "CLOUDQ_BROKER_URL": "sqs://"}
        case "redis":
            with redis_url() as url:
                yield {**environment, "CLOUDQ_BROKER_URL": url}
        case "rabbitmq":
            pika_connection().close()
            try:
                yield {**environment, "CLOUDQ_BROKER_URL": URL}
            finally:
                levels = Queue(environment["TRIAL_LEVELS"], priorities=3).levels
                others = (Queue(f"{levels[-1].name}-{which}") for which in ("first", "second"))
                queues = [Queue(default), *levels, *others]
                delete(*(name for queue in queues for name in (queue.name, queue.dead_letter)))
        case _:
            raise LookupError(broker)


@contextmanager
def in_this_process(environment: dict[str, str]) -> Iterator[None]:
    """The same environment for the test itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def is_empty(app: cloudq.App) -> bool:
    """Whether the default queue holds nothing."""
    stats = app.broker.stats(app.conf.settings.task_default_queue)
    return stats.ready + stats.leased + stats.delayed == 0
