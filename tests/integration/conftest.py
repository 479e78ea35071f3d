"""A real worker on a real broker, and an emulator for all tests that want one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cloudq
from tests.emulator_process import EmulatorProcess, emulator_process
from tests.integration.brokers import BROKERS, environment_of, in_this_process
from tests.integration.worker_process import HERE, Start, WorkerProcess, lines

sys.path.insert(0, str(HERE))  # for the tests, too: the tasks' modules are found as the workers find them
import worker_app

SPILLED = ("Traceback", "Exception ignored")


@pytest.fixture(scope="session")
def running_emulator() -> Iterator[EmulatorProcess]:
    with emulator_process() as running:
        yield running


@pytest.fixture
def emulator(running_emulator: EmulatorProcess) -> Iterator[EmulatorProcess]:
    """The emulator, empty and on real time, where this process's clients look for AWS."""
    running_emulator.control("POST", "/_cloudq/reset")
    with in_this_process(running_emulator.environment):
        yield running_emulator


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> str:
    """Which broker a test runs on."""
    return request.param


@pytest.fixture
def environment(broker: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What workers have in their environment."""
    with environment_of(broker, tmp_path, lambda: request.getfixturevalue("emulator")) as environment:
        yield environment


@pytest.fixture
def app(environment: dict[str, str]) -> Iterator[cloudq.App]:
    """The app of `worker_app`, where the workers find it."""
    app = worker_app.app
    app.close()
    said = {
        "broker_url": environment["CLOUDQ_BROKER_URL"],
        "result_backend": environment["CLOUDQ_RESULT_BACKEND"],
        "task_lease": float(environment["CLOUDQ_TASK_LEASE"]),
        "task_default_queue": environment.get("CLOUDQ_TASK_DEFAULT_QUEUE", "default"),
    }
    with app.conf.overridden(said):
        yield app
        app.close()


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Starts workers, which must not fail by themselves; they are gone when the test is."""
    started: list[WorkerProcess] = []

    def start_worker(*options: str, app: str = "worker_app", **more: str) -> WorkerProcess:
        log = tmp_path / f"worker{len(started)}.log"
        worker = WorkerProcess(log, {**environment, **more}, *options, app=app)
        started.append(worker)
        return worker

    yield start_worker
    for worker in started:
        worker.kill_group()
    spilled = [line for worker in started for line in lines(worker.log) if line.startswith(SPILLED)]
    assert not spilled, "an error of the worker itself"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where tasks leave their lines."""
    return tmp_path / "lines"
