"""The contenders on RabbitMQ, and a server with nothing in their queues."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pika

from benchmarks.tasks.contender import MODULES, OUR_WORKER, OURS, PEERS, Contender

SERVER: Final = os.environ.get("CLOUDQ_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672/")  # noqa: TID251 - as tests do
QUEUE: Final = "cloudq-bench"

_DRAMATIQ: Final = ("dramatiq", f"{MODULES}.dramatiq_on_rabbitmq", "-p", "2")
_CELERY: Final = (
    "celery", "-A", f"{MODULES}.celery_on_rabbitmq", "worker", "-c", "2", "-l", "warning",
    "--without-gossip", "--without-mingle", "--without-heartbeat",
)  # fmt: skip

CONTENDERS: Final = tuple(
    Contender(title, module, f"rabbitmq-{kind}", command, bin_, f"{{}}?queue_type={kind}", bulk)
    for kind in ("quorum", "classic")
    for title, module, command, bin_, bulk in (
        ("cloudq", "ours", OUR_WORKER, OURS, True),
        ("dramatiq", "dramatiq_on_rabbitmq", _DRAMATIQ, PEERS, False),
        ("Celery", "celery_on_rabbitmq", _CELERY, PEERS, False),
    )
)


@contextmanager
def emptied() -> Iterator[str]:
    """The server's address; what contenders' queues are called is gone before and afterwards."""
    _delete()
    try:
        yield SERVER
    finally:
        _delete()


def _delete() -> None:
    connection = pika.BlockingConnection(pika.URLParameters(SERVER))
    channel = connection.channel()
    for suffix in ("", "-dead", ".DQ", ".XQ"):
        channel.queue_delete(f"{QUEUE}{suffix}")
    for level in range(28):
        channel.queue_delete(f"celery_delayed_{level}")  # Celery's, which a server hardly has room for
    connection.close()
