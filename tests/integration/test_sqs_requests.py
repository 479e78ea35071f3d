"""What SQS is asked, counted by the emulator: which actions a role needs, what a task costs."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

import cloudq
from cloudq.dead_letters import Chosen, DeadLetters
from cloudq.testing import InlineWorker
from tests.emulator_process import emulator_process
from tests.integration.worker_process import HERE, WorkerProcess, lines, wait_until

sys.path.insert(0, str(HERE))
import worker_app

SIX = {
    "GetQueueUrl",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
}
"""As docs/sqs.md promises."""


@pytest.fixture(scope="module")
def running():
    with emulator_process() as emulator:
        yield emulator


@pytest.fixture
def emulator(running, monkeypatch):
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.control("POST", "/_cloudq/reset")
    return running


@pytest.fixture
def app(emulator):
    made = cloudq.App("shop", environ={}, broker="sqs://", create_queues=False)
    sqs = boto3.client("sqs")
    for queue in ("default", "default-dead"):
        sqs.create_queue(QueueName=queue)
    sqs.close()
    yield made
    made.close()


def asked(emulator, before):
    """How often each operation was asked for since."""
    counts = emulator.requests()
    return {
        name: count - before.get(name, 0) for name, count in counts.items() if count > before.get(name, 0)
    }


def test_six_actions_are_enough_for_everything_that_a_task_can_come_to(app, emulator):
    attempts = []

    @app.task(name="try", retries=1, backoff=1)
    def attempt(number: int) -> None:
        attempts.append(number)
        if number < 0:
            raise ValueError("no")

    before = emulator.requests()
    attempt.delay(1)
    attempt.delay_many([(2,), (3,)])
    attempt.delay(-1)
    worker = InlineWorker(app)
    worker.drain("default")
    emulator.pass_time(2)
    worker.drain("default")
    assert app.stats("default").dead == 1
    assert DeadLetters(app, "default").redrive(Chosen()).done == 1
    worker.drain("default")

    assert sorted(attempts) == [-1, -1, -1, 1, 2, 3]
    needed = {name.removesuffix("Batch") for name in asked(emulator, before)}
    assert needed == SIX


def test_a_hundred_gathered_calls_share_requests(app, emulator):
    @app.task(name="do")
    def do(number: int) -> None: ...

    async def gather():
        await asyncio.gather(*(do.adelay(number) for number in range(100)))

    do.delay(0)
    before = emulator.requests()
    asyncio.run(gather())

    sends = sum(asked(emulator, before).values())
    assert sends <= 25  # beside 0.1 to receive and 0.1 to delete, within 0.45 a task
    assert app.stats("default").ready == 101


def test_threads_that_send_at_once_share_requests(app, emulator):
    @app.task(name="do")
    def do(number: int) -> None: ...

    do.delay(0)
    before = emulator.requests()
    with ThreadPoolExecutor(32) as threads:
        list(threads.map(do.delay, range(640)))

    assert sum(asked(emulator, before).values()) <= 160
    assert app.stats("default").ready == 641


def test_a_worker_fills_its_requests_with_tasks_that_take_a_while(emulator, tmp_path):
    path = tmp_path / "lines"
    environment = {**emulator.environment, "CLOUDQ_BROKER_URL": "sqs://", "CLOUDQ_RESULT_BACKEND": "disabled"}
    worker_app.app.close()
    with worker_app.app.conf.overridden({"broker_url": "sqs://", "result_backend": "disabled"}):
        worker_app.mark.delay_many([(str(path), number, 0.02) for number in range(300)])
        before = emulator.requests()
        worker = WorkerProcess(tmp_path / "log", environment, "-c", "4")
        try:
            wait_until(lambda: len(lines(path)) == 300, "300 runs")
            wait_until(lambda: worker_app.app.stats("default").leased == 0, "the last delete")
        finally:
            worker.kill_group()
        worker_app.app.close()

    counts = asked(emulator, before)
    spent = counts["ReceiveMessage"] + counts["DeleteMessageBatch"]
    assert spent <= 300 * 0.25, counts
