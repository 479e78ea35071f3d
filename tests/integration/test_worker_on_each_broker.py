"""A real worker on every broker: kills and time limits."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import pytest
import worker_app

import cloudq
from tests.integration.brokers import is_empty
from tests.integration.worker_process import Start, lines
from tests.processes import is_alive
from tests.waiting import wait_until


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """With leases that end soon, as a test waits for it."""
    return {**environment, "CLOUDQ_TASK_LEASE": "2"}


def test_nothing_is_lost_when_the_worker_is_killed_amid_200_tasks(app: cloudq.App, start: Start, path: Path):
    worker_app.mark.delay_many([(str(path), number, 0.01) for number in range(200)])
    worker = start("-c", "4")
    wait_until(lambda: len(lines(path)) >= 40, "forty runs")
    children = worker.children()

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_until(lambda: not any(map(is_alive, children)), "the orphans' end")
    again = start("-c", "4")

    wait_until(lambda: len(set(lines(path))) == 200 and is_empty(app), "all runs and the empty queue")
    runs = Counter(map(int, lines(path)))
    assert sorted(runs) == list(range(200))
    assert sum(runs.values()) - 200 <= 30, "more ran twice than the worker can have held"
    assert again.stop() == 0


def test_a_message_whose_child_is_killed_is_run_again_at_once(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1", CLOUDQ_TASK_LEASE="60")

    result = worker_app.die_once.delay(str(path))

    assert result.get(timeout=20) == "alive"
    assert lines(path) == ["receive 1", "receive 2"]
    assert "its process was ended by SIGKILL" in worker.events("child_ended")[0]["message"]


def test_a_run_past_its_time_limit_is_killed_and_counted(app: cloudq.App, start: Start, path: Path):
    start("-c", "1", CLOUDQ_TASK_LEASE="60")

    result = worker_app.too_long.delay(str(path))

    with pytest.raises(cloudq.TaskFailedError, match=r"ran longer than its time limit of 0\.3 s"):
        result.get(timeout=20)
    assert lines(path) == ["run", "run"]
