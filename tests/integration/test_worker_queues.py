"""Which queue a real worker takes from: priorities, `-Q`, pauses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cloudq
from cloudq.app import load
from tests.cli_runner import Shell
from tests.integration.brokers import BROKERS, environment_of, in_this_process
from tests.integration.worker_process import HERE, WorkerProcess, lines, wait_until

FLOOD = 250
"""Messages of a level: more than a worker receives at once."""

sys.path.insert(0, str(HERE))


@pytest.fixture
def broker() -> str:
    """Which broker a test runs on."""
    return "sqlite"


@pytest.fixture
def environment(broker: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    with environment_of(broker, tmp_path) as environment, in_this_process(environment):
        yield environment


@pytest.fixture
def app(environment: dict[str, str]) -> Iterator[cloudq.App]:
    sys.modules.pop("queue_app", None)  # its settings are read once, and these are this test's
    app = load("queue_app")
    yield app
    app.close()


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path):
    started: list[WorkerProcess] = []

    def start_worker(*options: str) -> WorkerProcess:
        started.append(
            WorkerProcess(tmp_path / f"worker{len(started)}.log", environment, *options, app="queue_app")
        )
        return started[-1]

    yield start_worker
    for worker in started:
        worker.kill_group()


@pytest.mark.parametrize("broker", BROKERS)
def test_the_highest_priority_runs_first_and_the_lowest_is_not_forgotten(
    app, broker, environment, start, tmp_path
):
    path = tmp_path / "lines"
    task = app.tasks["queue_app.mark_level"]

    async def send() -> None:
        levels = [0] * FLOOD + [2] * FLOOD
        await asyncio.gather(*(task.aapply_async((str(path), level), priority=level) for level in levels))

    asyncio.run(send())

    start("-Q", environment["TRIAL_LEVELS"], "-c", "1")

    wait_until(lambda: len(lines(path)) >= 2 * FLOOD, "all of them")
    ran = list(map(int, lines(path)))
    assert sorted(ran) == [0] * FLOOD + [2] * FLOOD
    assert ran[:FLOOD].count(2) >= FLOOD * 2 // 3, "the urgent ones go first"
    assert ran.index(0) < len(ran) - 1 - ran[::-1].index(2), "but not all of them"


def test_named_queues_are_emptied_in_their_order(app, environment, start, tmp_path):
    path = tmp_path / "lines"
    app.tasks["queue_app.mark_second"].delay_many([(str(path),)] * 40)
    app.tasks["queue_app.mark_first"].delay_many([(str(path),)] * 40)

    levels = environment["TRIAL_LEVELS"]
    assert start("-Q", f"{levels}-first,{levels}-second", "-c", "1", "--burst").wait() == 0

    assert lines(path) == ["first"] * 40 + ["second"] * 40


@pytest.mark.parametrize("broker", BROKERS)
def test_a_paused_queue_waits_until_it_is_resumed_and_others_go_on(app, broker, environment, start, tmp_path):
    path = tmp_path / "lines"
    name = f"{environment['TRIAL_LEVELS']}-first"
    shell = Shell(HERE)
    first, second = app.tasks["queue_app.mark_first"], app.tasks["queue_app.mark_second"]
    worker = start("-Q", f"{name},{environment['TRIAL_LEVELS']}-second", "-c", "1")
    assert first.delay(str(path)).get(timeout=20) is None

    assert shell.run("queue", "pause", name, "-A", "queue_app").code == 0
    wait_until(lambda: worker.events("queue_paused"), "the worker to see the pause")
    waiting = first.delay(str(path))
    assert second.delay(str(path)).get(timeout=20) is None
    assert lines(path) == ["first", "second"]

    assert shell.run("queue", "resume", name, "-A", "queue_app").code == 0
    assert waiting.get(timeout=20) is None
    assert lines(path) == ["first", "second", "first"]


def test_a_worker_all_of_whose_queues_are_paused_waits_and_stops_when_told(app, environment, start, tmp_path):
    path = tmp_path / "lines"
    task = app.tasks["queue_app.mark_first"]
    assert app.pauses is not None
    name = f"{environment['TRIAL_LEVELS']}-first"
    app.pauses.pause(name)
    worker = start("-Q", name, "-c", "1")
    wait_until(lambda: worker.events("queue_paused"), "the worker to see the pause")
    result = task.delay(str(path))

    app.pauses.resume(name)
    assert result.get(timeout=20) is None
    assert worker.stop() == 0
