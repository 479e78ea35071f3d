"""Which queue a real worker takes from: priorities, `-Q`, pauses, queues that are broken."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import redis

import cloudq
from cloudq.finding import load
from tests.cli_runner import Shell
from tests.integration.brokers import BROKERS, in_this_process
from tests.integration.worker_process import HERE, Start, WorkerProcess, lines
from tests.waiting import wait_until

FLOOD = 250
"""Messages of a level: more than a worker receives at once."""


@pytest.fixture
def broker() -> str:
    """Which broker a test runs on."""
    return "sqlite"


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """With receives that wait for a second, a third of the lease, so that little is waited for."""
    return {**environment, "CLOUDQ_TASK_LEASE": "3"}


@pytest.fixture
def app(environment: dict[str, str]) -> Iterator[cloudq.App]:
    sys.modules.pop("queue_app", None)  # its settings are read once, and these are this test's
    with in_this_process(environment):
        app = load("queue_app")
        yield app
        app.close()


@pytest.fixture
def start(start: Start) -> Start:
    return functools.partial(start, app="queue_app")


@pytest.mark.parametrize("broker", BROKERS)
def test_the_highest_priority_runs_first_and_the_lowest_is_not_forgotten(
    app, broker, environment, start, path
):
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


def test_named_queues_are_emptied_in_their_order(app, environment, start, path):
    app.tasks["queue_app.mark_second"].delay_many([(str(path),)] * 40)
    app.tasks["queue_app.mark_first"].delay_many([(str(path),)] * 40)

    levels = environment["TRIAL_LEVELS"]
    assert start("-Q", f"{levels}-first,{levels}-second", "-c", "1", "--burst").wait() == 0

    assert lines(path) == ["first"] * 40 + ["second"] * 40


@pytest.mark.parametrize("broker", BROKERS)
def test_a_paused_queue_waits_until_it_is_resumed_and_others_go_on(app, broker, environment, start, path):
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


def test_a_worker_all_of_whose_queues_are_paused_waits_and_stops_when_told(app, environment, start, path):
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


@pytest.mark.parametrize("broker", ["sqs"])
def test_a_pause_is_noticed_amid_a_long_poll_and_what_that_brings_goes_back(app, environment, start, path):
    first, second = app.tasks["queue_app.count_first"], app.tasks["queue_app.mark_second"]
    name, other = f"{environment['TRIAL_LEVELS']}-first", f"{environment['TRIAL_LEVELS']}-second"
    worker = start("-Q", f"{name},{other}", "-c", "1", CLOUDQ_TASK_LEASE="60")  # polls of 20 s
    assert second.delay(str(path)).get(timeout=20) is None
    assert app.pauses is not None
    app.pauses.pause(name)
    wait_until(lambda: worker.events("queue_paused"), "the worker to see the pause", patience=10)

    waiting = first.delay(str(path))
    assert second.delay(str(path)).get(timeout=20) is None
    wait_until(lambda: app.stats(name).ready == 1, "the message to be back")
    assert lines(path) == ["second", "second"]

    app.pauses.resume(name)
    wait_until(lambda: worker.events("queue_resumed"), "the worker to see its end", patience=10)
    second.delay(str(path))  # ends the poll of the other queue, which might take its 20 s
    assert waiting.get(timeout=30) is None
    assert "attempt 1" in lines(path)


@pytest.mark.parametrize("broker", BROKERS)
def test_what_is_prefetched_goes_back_at_a_pause(app, broker, environment, start, path):
    name = f"{environment['TRIAL_LEVELS']}-first"
    assert app.pauses is not None
    quick, slow = app.tasks["queue_app.mark_first"], app.tasks["queue_app.hold_first"]
    worker = start("-Q", name, "-c", "1")
    quick.delay_many([(str(path),)] * 100)
    wait_until(lambda: len(lines(path)) == 100, "quick ones, so that the worker holds many ahead")
    slow.delay(str(path))
    quick.delay_many([(str(path),)] * 50)
    wait_until(lambda: "holding" in lines(path), "the slow one")

    app.pauses.pause(name)

    wait_until(lambda: app.stats(name).ready == 50, "what is prefetched to be back")
    path.with_name(f"{path.name}.go").touch()
    app.pauses.resume(name)
    wait_until(lambda: len(lines(path)) == 151, "the rest")
    assert worker.stop() == 0
    assert len(lines(path)) == 151, "each once"


@pytest.fixture
def names(environment: dict[str, str]) -> tuple[str, str]:
    return f"{environment['TRIAL_LEVELS']}-first", f"{environment['TRIAL_LEVELS']}-second"


def rounds(worker: WorkerProcess, task: cloudq.tasks.Task, path: Path) -> None:
    """Calls are answered though the other queue fails again and again."""
    for count in range(1, 4):
        wait_until(lambda count=count: len(worker.events("queue_failed")) >= count, f"failure {count}")
        assert task.delay(str(path)).get(timeout=20) is None
    assert not worker.events("receive_failed"), "the other queue had to wait"


@pytest.mark.parametrize("broker", ["redis"])
def test_redis_refuses_one_queue_and_gives_the_other(app, environment, names, start, path):
    first, second = app.tasks["queue_app.mark_first"], app.tasks["queue_app.mark_second"]
    worker = start("-Q", ",".join(names), "-c", "1")
    assert first.delay(str(path)).get(timeout=20) is None
    url, _, prefix = environment["CLOUDQ_BROKER_URL"].partition("?prefix=")
    with redis.Redis.from_url(url) as client:
        (key,) = client.scan_iter(f"{prefix}:*{{{names[0]}}}", count=1000)
        kept = client.dump(key)
        client.set(key, "another program's")

        rounds(worker, second, path)

        client.delete(key)
        client.restore(key, 0, kept)
    assert first.delay(str(path)).get(timeout=40) is None
    assert [event["queue"] for event in worker.events("queue_back")] == [names[0]]
    assert worker.stop() == 0


@pytest.mark.parametrize("broker", ["sqs"])
def test_a_queue_that_is_deleted_on_sqs_does_not_hold_up_the_other(app, names, start, path):
    second = app.tasks["queue_app.mark_second"]
    for name in names:
        app.declare(name)
    waiting = second.delay(str(path))
    sqs = boto3.client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=names[0])["QueueUrl"])

    worker = start("-Q", ",".join(names), "-c", "1", CLOUDQ_CREATE_QUEUES="false")

    assert waiting.get(timeout=20) is None
    rounds(worker, second, path)
    assert worker.stop() == 0
