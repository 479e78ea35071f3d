"""What SQS is asked, counted by the emulator: which actions a role needs, what a task costs."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
import worker_app

import cloudq
from cloudq.dead_letters import Chosen, DeadLetters
from cloudq.testing import InlineWorker
from tests.integration.brokers import is_empty
from tests.integration.worker_process import lines
from tests.waiting import wait_until

SIX = {
    "GetQueueUrl",
    "SendMessage",
    "ReceiveMessage",
    "DeleteMessage",
    "ChangeMessageVisibility",
    "GetQueueAttributes",
}
"""As docs/sqs.md promises."""


@pytest.fixture
def shop(emulator):
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


def test_six_actions_are_enough_for_everything_that_a_task_can_come_to(shop, emulator):
    attempts = []

    @shop.task(name="try", retries=1, backoff=1)
    def attempt(number: int) -> None:
        attempts.append(number)
        if number < 0:
            raise ValueError("no")

    before = emulator.requests()
    attempt.delay(1)
    attempt.delay_many([(2,), (3,)])
    attempt.delay(-1)
    worker = InlineWorker(shop)
    worker.drain("default")
    emulator.pass_time(2)
    worker.drain("default")
    assert shop.stats("default").dead == 1
    assert DeadLetters(shop, "default").redrive(Chosen()).done == 1
    worker.drain("default")

    assert sorted(attempts) == [-1, -1, -1, 1, 2, 3]
    needed = {name.removesuffix("Batch") for name in asked(emulator, before)}
    assert needed == SIX


def test_a_hundred_gathered_calls_share_requests(shop, emulator):
    @shop.task(name="do")
    def do(number: int) -> None: ...

    async def gather():
        await asyncio.gather(*(do.adelay(number) for number in range(100)))

    do.delay(0)
    before = emulator.requests()
    asyncio.run(gather())

    sends = sum(asked(emulator, before).values())
    assert sends <= 25  # beside 0.1 to receive and 0.1 to delete, within 0.45 a task
    assert shop.stats("default").ready == 101


def test_threads_that_send_at_once_share_requests(shop, emulator):
    @shop.task(name="do")
    def do(number: int) -> None: ...

    do.delay(0)
    before = emulator.requests()
    with ThreadPoolExecutor(32) as threads:
        list(threads.map(do.delay, range(640)))

    assert sum(asked(emulator, before).values()) <= 160
    assert shop.stats("default").ready == 641


@pytest.mark.parametrize("broker", ["sqs"])
def test_a_worker_fills_its_requests_with_tasks_that_take_a_while(app, emulator, start, path):
    worker_app.mark.delay_many([(str(path), number, 0.02) for number in range(300)])
    before = emulator.requests()

    worker = start("-c", "4", CLOUDQ_RESULT_BACKEND="disabled", CLOUDQ_TASK_LEASE="60")
    wait_until(lambda: len(lines(path)) == 300, "300 runs")
    wait_until(lambda: is_empty(app), "the last delete")
    worker.kill_group()

    counts = asked(emulator, before)
    spent = counts["ReceiveMessage"] + counts["DeleteMessageBatch"]
    assert spent <= 300 * 0.25, counts
