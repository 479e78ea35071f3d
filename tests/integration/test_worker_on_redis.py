"""A real worker on a Redis server of its own: a server that is killed, and one that forgets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import worker_app

import cloudq
from tests.integration.brokers import is_empty
from tests.integration.worker_process import Start, lines
from tests.redis_server import RedisServer
from tests.waiting import wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def environment(server: RedisServer) -> dict[str, str]:
    return {
        "CLOUDQ_BROKER_URL": server.url,
        "CLOUDQ_RESULT_BACKEND": server.url,
        "CLOUDQ_TASK_LEASE": "2",
    }


def test_a_worker_runs_retries_dead_letters_and_keeps_results(app: cloudq.App, start: Start):
    worker = start("-c", "2")

    added = worker_app.add.delay(1, 2)
    lucky = worker_app.third_time_lucky.delay()
    failed = worker_app.fail.delay()

    assert added.get(timeout=20) == 3
    assert lucky.get(timeout=20) == 2
    with pytest.raises(cloudq.TaskFailedError, match="LookupError: nothing there"):
        failed.get(timeout=20)
    assert wait_until(lambda: app.broker.stats("default").dead == 1, "the dead letter")
    assert worker.stop() == 0


def test_nothing_is_lost_when_redis_is_killed_amid_200_tasks(
    app: cloudq.App, server: RedisServer, start: Start, path: Path
):
    results = worker_app.mark.delay_many([(str(path), number, 0.01) for number in range(200)])
    worker = start("-c", "4")
    wait_until(lambda: len(lines(path)) >= 40, "forty runs")

    server.kill()
    with pytest.raises(cloudq.BrokerError, match="can't be reached"):
        worker_app.add.delay(1, 2)
    wait_until(lambda: worker.events("receive_failed"), "a receive that failed")
    server.start()

    assert results.get(timeout=30) == list(range(200))
    wait_until(lambda: is_empty(app), "the empty queue")
    assert set(map(int, lines(path))) == set(range(200))
    assert worker.stop() == 0


def test_a_worker_goes_on_after_a_flush(app: cloudq.App, server: RedisServer, start: Start):
    worker = start("-c", "1")
    assert worker_app.add.delay(1, 2).get(timeout=20) == 3

    server.client.flushall()

    assert worker_app.add.delay(2, 2).get(timeout=20) == 4
    assert worker.stop() == 0


def test_a_broker_that_is_down_is_told_of_in_few_lines(
    app: cloudq.App, server: RedisServer, start: Start, path: Path
):
    worker_app.mark.delay_many([(str(path), number) for number in range(3000)])
    worker = start("-c", "2", "--grace", "1")
    wait_until(lambda: len(lines(path)) >= 500, "500 runs")

    server.kill()
    wait_until(lambda: len(worker.events("receive_failed")) >= 3, "three receives that failed")
    told = worker.events("not_settled")

    assert sum(event["count"] for event in told if "count" in event) > 2 * len(told)
    assert len(told) <= 20
    assert worker.stop() == 0


@pytest.mark.slow
def test_a_stop_says_what_it_waits_for_when_the_broker_is_gone(
    app: cloudq.App, server: RedisServer, start: Start, path: Path
):
    worker = start("-c", "1", "--grace", "0.5")
    worker_app.start_then_mark.delay(str(path), 1, 60.0)
    wait_until(lambda: lines(path), "the run")
    server.kill()

    assert worker.stop() == 0

    (told,) = worker.events("settling_last")
    assert told["count"] == 1
