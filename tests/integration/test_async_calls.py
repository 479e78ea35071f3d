"""The async twins on every broker, with a real worker; what they cost on SQS."""

from __future__ import annotations

import asyncio

import worker_app

import cloudq
from tests.emulator_process import EmulatorProcess
from tests.integration.worker_process import Start


def test_a_hundred_gathered_calls_are_run_and_their_results_awaited(app: cloudq.App, start: Start):
    start("-c", "2")

    async def call() -> list[int]:
        results = await asyncio.gather(*(worker_app.add.adelay(number, number) for number in range(100)))
        return await asyncio.gather(*(result.aget(timeout=30) for result in results))

    assert asyncio.run(call()) == [2 * number for number in range(100)]


def test_a_hundred_gathered_calls_are_ten_requests_to_sqs(emulator: EmulatorProcess):
    app = cloudq.App("trial", broker="sqs://")

    @app.task(name="trial.add")
    def add(x: int, y: int) -> int:
        return x + y

    app.declare("default")
    emulator.control("DELETE", "/_cloudq/requests")

    async def call() -> None:
        await asyncio.gather(*(add.adelay(number, number) for number in range(100)))

    asyncio.run(call())
    app.close()

    assert emulator.requests() == {"SendMessageBatch": 10}
