"""A real worker on a real RabbitMQ: kills, deleted queues, cut connections, messages by plain pika."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pytest
import worker_app

import cloudq
from tests.cutting_proxy import CuttingProxy, cutting_proxy
from tests.integration.worker_process import Start, WorkerProcess, lines
from tests.rabbitmq_server import URL, pika_connection
from tests.waiting import wait_until


@pytest.fixture
def broker() -> str:
    return "rabbitmq"


@pytest.fixture
def queue(app: cloudq.App) -> str:
    queue = app.conf.settings.task_default_queue
    app.declare(queue)
    return queue


@pytest.fixture
def channel():
    connection = pika_connection()
    yield connection.channel()
    connection.close()


def test_a_message_by_plain_pika_is_run_and_a_dead_one_is_read_by_it(queue: str, start: Start, channel):
    good = {"v": 1, "id": "by-hand", "task": "worker_app.add", "args": [1], "kwargs": {"y": 2}}

    for body in (json.dumps(good), "no message"):
        channel.basic_publish("", queue, body.encode(), pika.BasicProperties(delivery_mode=2))
    start("-c", "1")

    assert worker_app.add.result("by-hand").get(timeout=20) == 3
    _, properties, body = wait_until(
        lambda: (got := channel.basic_get(f"{queue}-dead", auto_ack=True))[0] and got, "the dead letter"
    )
    assert body == b"no message"
    reason = json.loads(properties.headers["cloudq-reason"])
    assert (reason["code"], reason["queue"]) == ("bad_body", queue)


def test_a_queue_that_is_deleted_under_a_running_worker_is_made_anew(queue: str, start: Start, channel):
    start("-c", "1")
    assert worker_app.add.delay(1, 1).get(timeout=20) == 2

    channel.queue_delete(queue)

    wait_until(lambda: exists(queue), "the queue made anew")
    assert worker_app.add.delay(2, 2).get(timeout=30) == 4


def test_what_a_killed_worker_held_is_run_at_once_by_another_however_long_its_lease(
    queue: str, start: Start, path: Path
):
    worker_app.start_then_mark.delay(str(path), 1, 60.0)
    worker = start("-c", "1", CLOUDQ_TASK_LEASE="600")
    wait_until(lambda: lines(path) == ["started 1"], "the first run")

    worker.kill_group()
    start("-c", "1", CLOUDQ_TASK_LEASE="600")

    wait_until(lambda: lines(path) == ["started 1"] * 2, "the second run")


def exists(queue: str) -> bool:
    connection = pika_connection()
    try:
        connection.channel().queue_declare(queue, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return False
    else:
        return True
    finally:
        connection.close()


@pytest.fixture
def proxy() -> Iterator[CuttingProxy]:
    parameters = pika.URLParameters(URL)
    with cutting_proxy(parameters.host, parameters.port) as proxy:
        yield proxy


@pytest.fixture
def held_at_gate(queue: str, start: Start, path: Path, proxy: CuttingProxy) -> WorkerProcess:
    """A worker behind the proxy that runs a task, which waits; no record would tell that it has run."""
    parts = urlsplit(URL)
    host = f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}"
    worker_app.wait_at_gate.delay(str(path))
    worker = start(
        "-c",
        "2",
        "--loglevel",
        "debug",
        CLOUDQ_BROKER_URL=parts._replace(netloc=host).geturl(),
        CLOUDQ_RESULT_BACKEND="disabled",
        CLOUDQ_TASK_LEASE="60",
    )
    wait_until(lambda: lines(path) == ["waits"], "the run")
    return worker


def open_gate(path: Path) -> None:
    path.with_suffix(".gate").touch()


def test_a_run_that_ends_while_the_connection_is_cut_is_acked_later_and_not_run_again(
    held_at_gate: WorkerProcess, proxy: CuttingProxy, path: Path, app: cloudq.App, queue: str
):
    proxy.cut()
    open_gate(path)
    wait_until(lambda: held_at_gate.events("not_settled"), "a settlement in vain")

    proxy.mend()

    wait_until(lambda: held_at_gate.events("message_done"), "the ack")
    wait_until(lambda: is_empty(app, queue), "an empty queue")
    assert lines(path) == ["waits", "passed"]


def test_a_run_goes_on_under_the_lease_that_comes_with_the_next_connection(
    held_at_gate: WorkerProcess, proxy: CuttingProxy, path: Path, app: cloudq.App, queue: str
):
    proxy.cut()
    proxy.mend()
    wait_until(lambda: len(received(held_at_gate)) == 2, "the second delivery")

    open_gate(path)

    wait_until(lambda: is_empty(app, queue), "an empty queue")
    assert lines(path) == ["waits", "passed"]


def received(worker: WorkerProcess) -> list[Any]:
    return [event for event in worker.events("messages_received") if event["count"]]


def is_empty(app: cloudq.App, queue: str) -> bool:
    stats = app.broker.stats(queue)
    return stats.ready + stats.leased + stats.delayed == 0
