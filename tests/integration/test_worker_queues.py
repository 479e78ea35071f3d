"""Which queue a real worker takes from: priorities, `-Q`, pauses."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cloudq
from cloudq.app import load
from tests.cli_runner import Shell
from tests.integration.brokers import environment_of, in_this_process
from tests.integration.worker_process import HERE, WorkerProcess, lines, wait_until

sys.path.insert(0, str(HERE))


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with environment_of("sqlite", tmp_path) as environment, in_this_process(environment):
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


def test_the_highest_priority_runs_first_and_the_lowest_is_not_forgotten(app, start, tmp_path):
    path = tmp_path / "lines"
    task = app.tasks["queue_app.mark_level"]
    for level in (0, 2):
        for _ in range(60):
            task.apply_async((str(path), level), priority=level)

    assert start("-Q", "levels", "-c", "1", "--burst").wait() == 0

    ran = list(map(int, lines(path)))
    assert sorted(ran) == [0] * 60 + [2] * 60
    first_half = ran[:60]
    assert first_half.count(2) >= 40, "the urgent ones go first"
    assert 0 in first_half, "but not for ever"


def test_named_queues_are_emptied_in_their_order(app, start, tmp_path):
    path = tmp_path / "lines"
    app.tasks["queue_app.mark_second"].delay_many([(str(path),)] * 40)
    app.tasks["queue_app.mark_first"].delay_many([(str(path),)] * 40)

    assert start("-Q", "first,second", "-c", "1", "--burst").wait() == 0

    assert lines(path) == ["first"] * 40 + ["second"] * 40


def test_a_paused_queue_waits_until_it_is_resumed_and_others_go_on(app, start, tmp_path):
    path = tmp_path / "lines"
    shell = Shell(HERE)
    first, second = app.tasks["queue_app.mark_first"], app.tasks["queue_app.mark_second"]
    worker = start("-Q", "first,second", "-c", "1")
    assert first.delay(str(path)).get(timeout=20) is None

    assert shell.run("queue", "pause", "first", "-A", "queue_app").code == 0
    wait_until(lambda: worker.events("queue_paused"), "the worker to see the pause")
    waiting = first.delay(str(path))
    assert second.delay(str(path)).get(timeout=20) is None
    assert app.broker.stats("first").ready == 1

    assert shell.run("queue", "resume", "first", "-A", "queue_app").code == 0
    assert waiting.get(timeout=20) is None
    assert lines(path) == ["first", "second", "first"]


def test_a_worker_all_of_whose_queues_are_paused_waits_and_stops_when_told(app, start, tmp_path):
    path = tmp_path / "lines"
    task = app.tasks["queue_app.mark_first"]
    assert app.pauses is not None
    app.pauses.pause("first")
    worker = start("-Q", "first", "-c", "1")
    wait_until(lambda: worker.events("queue_paused"), "the worker to see the pause")
    result = task.delay(str(path))

    app.pauses.resume("first")
    assert result.get(timeout=20) is None
    assert worker.stop() == 0
