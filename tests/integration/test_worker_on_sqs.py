"""A real worker on SQS, through the emulator: kills, queues that vanish, messages by plain boto3."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

import cloudq
from tests.emulator_process import EmulatorProcess, emulator_process
from tests.integration.worker_process import HERE, WorkerProcess, lines, wait_until

sys.path.insert(0, str(HERE))
import worker_app

Start = Callable[..., WorkerProcess]


@pytest.fixture(scope="module")
def running() -> Iterator[EmulatorProcess]:
    with emulator_process() as running:
        yield running


@pytest.fixture
def environment(running: EmulatorProcess, tmp_path: Path) -> dict[str, str]:
    running.control("POST", "/_cloudq/reset")
    return {
        **running.environment,
        "CLOUDQ_BROKER_URL": "sqs://",
        "CLOUDQ_RESULT_BACKEND": f"sqlite:///{tmp_path / 'results.db'}?synchronous=normal",
        "CLOUDQ_TASK_LEASE": "3",
    }


@pytest.fixture
def app(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[cloudq.App]:
    app = worker_app.app
    app.close()
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, environment[name])
    said = {"broker_url": "sqs://", "result_backend": environment["CLOUDQ_RESULT_BACKEND"], "task_lease": 3.0}
    with app.conf.overridden(said):
        yield app
        app.close()


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    started: list[WorkerProcess] = []

    def start_worker(*options: str) -> WorkerProcess:
        worker = WorkerProcess(tmp_path / f"worker{len(started)}.log", environment, *options)
        started.append(worker)
        return worker

    yield start_worker
    for worker in started:
        worker.kill_group()


def is_empty(app: cloudq.App) -> bool:
    stats = app.broker.stats("default")
    return stats.ready + stats.leased + stats.delayed == 0


def test_nothing_is_lost_when_the_worker_is_killed_amid_200_tasks(
    app: cloudq.App, start: Start, tmp_path: Path
):
    path = tmp_path / "lines"
    worker_app.mark.delay_many([(str(path), number, 0.01) for number in range(200)])
    worker = start("-c", "4")
    wait_until(lambda: len(lines(path)) >= 40, "forty runs")

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    start("-c", "4")

    wait_until(lambda: is_empty(app), "the empty queue")
    runs = Counter(map(int, lines(path)))
    assert sorted(runs) == list(range(200))
    assert sum(runs.values()) - 200 <= 30, "more ran twice than the worker can have held"


def test_a_message_by_plain_boto3_is_run_and_a_dead_one_is_read_by_it(app: cloudq.App, start: Start):
    app.declare("default")
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="default")["QueueUrl"]
    dead = sqs.get_queue_url(QueueName="default-dead")["QueueUrl"]
    good = {"v": 1, "id": "by-hand", "task": "worker_app.add", "args": [1], "kwargs": {"y": 2}}

    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(good))
    sqs.send_message(QueueUrl=url, MessageBody="no message")
    start("-c", "1")

    assert worker_app.add.result("by-hand").get(timeout=20) == 3
    (found,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"]).get("Messages"),
        "the dead letter",
    )
    assert found["Body"] == "no message"
    reason = json.loads(found["MessageAttributes"]["cloudq.dead"]["StringValue"])
    assert (reason["code"], reason["queue"]) == ("bad_body", "default")


def test_a_queue_that_vanishes_under_a_running_worker_is_made_anew(
    app: cloudq.App, start: Start, running: EmulatorProcess
):
    start("-c", "1")
    assert worker_app.add.delay(1, 1).get(timeout=20) == 2

    running.control("POST", "/_cloudq/reset")

    assert worker_app.add.delay(2, 2).get(timeout=30) == 4
