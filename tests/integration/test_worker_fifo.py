"""Real workers on a FIFO queue of every broker that has them."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from pathlib import Path

import pytest
import worker_app

import cloudq
from tests.integration.worker_process import Start, lines
from tests.waiting import wait_until


@pytest.fixture(params=["sqlite", "redis", "sqs"])
def broker(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "CLOUDQ_TASK_DEFAULT_QUEUE": "line.fifo"}


def test_groups_keep_their_order_in_two_workers_when_a_child_of_one_is_killed(
    app: cloudq.App, start: Start, path: Path
):
    groups, length = 4, 15
    for place in range(length):
        for group in range(groups):
            number = group * length + place
            worker_app.mark.apply_async((str(path), number, 0.02), group_id=str(group))
    workers = [start("-c", "2") for _ in range(2)]
    wait_until(lambda: all(worker.events("child_ready") for worker in workers), "two workers")
    wait_until(lambda: len(lines(path)) >= 10, "ten runs")

    os.kill(workers[0].children()[0], signal.SIGKILL)

    wait_until(lambda: len(set(lines(path))) == groups * length, "all runs")
    wait_until(lambda: workers[0].events("child_ended"), "the killed child's end")
    ran = defaultdict(list)
    for number in map(int, lines(path)):
        group, place = divmod(number, length)
        if place not in ran[group][-1:]:  # the one that was killed may run again, before its successor
            ran[group].append(place)
    assert ran == {group: list(range(length)) for group in range(groups)}
