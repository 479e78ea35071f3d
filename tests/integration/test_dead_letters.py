"""Dead letters on every broker, through a real worker and the real commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import worker_app

import cloudq
from cloudq.delivery import Outgoing
from tests.cli_runner import Shell
from tests.integration.worker_process import HERE, Start, WorkerProcess, lines
from tests.waiting import wait_until

Run = Callable[..., Any]


@pytest.fixture
def worker(app: cloudq.App, start: Start) -> WorkerProcess:
    return start("-c", "2")


@pytest.fixture
def command(app: cloudq.App) -> Run:
    """Runs `cloudq … --json`; what it answers."""

    def run(*words: str) -> Any:
        ended = Shell(HERE).run(*words, "-A", "worker_app", "--json")
        assert ended.code == 0, ended
        return ended.json

    return run


def test_a_message_that_is_put_back_starts_its_attempts_anew(
    app: cloudq.App, worker: WorkerProcess, command: Run, tmp_path: Path
):
    path = tmp_path / "lines"
    results = [worker_app.fail_until_mended.delay(str(path), number) for number in range(3)]
    queue = app.conf.settings.task_default_queue

    def dead() -> int:
        return app.broker.stats(f"{queue}-dead").ready

    wait_until(lambda: dead() == 3, "three dead letters")
    attempts = [f"{number}: attempt {attempt}" for number in range(3) for attempt in (1, 2)]
    assert sorted(lines(path)) == attempts
    listed = command("dlq", "list", "--task", "*.fail_until_mended", "--reason", "failed", "--since", "1h")
    assert {letter["id"] for letter in listed["dead_letters"]} == {result.id for result in results}
    shown = command("dlq", "show", results[1].id)
    assert (shown["error"], shown["failures"], shown["queue"]) == ("LookupError: number 1", 2, queue)
    assert shown["body"]["args"] == [str(path), 1]
    assert "raise LookupError" in shown["traceback"]

    # Still broken: it has both its attempts again, and dies of the second.
    assert command("dlq", "redrive", "--id", results[0].id)["redriven"] == 1
    wait_until(lambda: dead() == 3, "the dead letter again")
    assert sorted(lines(path)) == sorted([*attempts, "0: attempt 1", "0: attempt 2"])
    assert command("dlq", "show", results[0].id)["generation"] == 1

    Path(f"{path}.mended").touch()
    assert command("dlq", "redrive", "--rate", "50")["redriven"] == 3
    assert [result_of(result) for result in results] == [0, 1, 2]
    assert len(lines(path)) == 11
    assert dead() == 0


def test_a_body_that_is_no_message_is_put_back_as_it_is_and_purged(
    app: cloudq.App, worker: WorkerProcess, command: Run
):
    queue = app.conf.settings.task_default_queue
    app.declare(queue)
    app.broker.send(queue, [Outgoing("by-hand", b"no message")])
    wait_until(lambda: app.broker.stats(f"{queue}-dead").ready == 1, "the dead letter")

    assert command("dlq", "redrive", queue)["redriven"] == 1
    wait_until(lambda: app.broker.stats(f"{queue}-dead").ready == 1, "the dead letter again")

    (letter,) = command("dlq", "list", "--reason", "bad_body")["dead_letters"]
    assert command("dlq", "show", letter["id"])["body"] == "no message"
    assert command("dlq", "purge", queue, "--yes")["deleted"] == 1
    assert app.broker.stats(f"{queue}-dead").ready == 0


def result_of(result: cloudq.AsyncResult[Any]) -> Any:
    """What the new life came to: the old one's failure stands until then."""

    def has_succeeded() -> bool:
        return result.successful()

    wait_until(has_succeeded, "a success")
    return result.get(timeout=0)
