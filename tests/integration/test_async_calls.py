"""The async twins on every broker, with a real worker; what they cost on SQS."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cloudq
from cloudq.app import load
from tests.emulator_process import emulator_process
from tests.integration.brokers import BROKERS, environment_of, in_this_process
from tests.integration.worker_process import HERE, WorkerProcess

sys.path.insert(0, str(HERE))


@pytest.fixture(params=BROKERS)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    with environment_of(request.param, tmp_path) as environment, in_this_process(environment):
        yield environment


def test_a_hundred_gathered_calls_are_run_and_their_results_awaited(
    environment: dict[str, str], tmp_path: Path
):
    sys.modules.pop("worker_app", None)  # its settings are read once, and these are this test's
    app = load("worker_app")
    worker = WorkerProcess(tmp_path / "worker.log", environment, "-c", "2")

    async def call() -> list[int]:
        results = await asyncio.gather(*(app.tasks["worker_app.add"].adelay(n, n) for n in range(100)))
        return await asyncio.gather(*(result.aget(timeout=30) for result in results))

    try:
        assert asyncio.run(call()) == [2 * number for number in range(100)]
    finally:
        worker.kill_group()
        app.close()


def test_a_hundred_gathered_calls_are_ten_requests_to_sqs():
    with emulator_process() as emulator, in_this_process(emulator.environment):
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
