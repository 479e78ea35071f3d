"""The handler where it lives: a function in the emulator, behind an event source mapping, over HTTP."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

import cloudq
from cloudq.clock import SystemClock
from cloudq.queues import Queue
from tests.waiting import wait_until

SOURCE = """
import cloudq

app = cloudq.App("jobs", queues=[cloudq.Queue("jobs", lease=30), cloudq.Queue("steps.fifo", lease=30)])

@app.task(queue="jobs")
def double(n: int) -> int:
    return 2 * n

@app.task(queue="jobs", retries=0)
def give_up() -> None:
    raise RuntimeError("never works")

@app.task(bind=True, queue="jobs", backoff=0.2)
def third_time(self) -> int:
    if self.request.retries < 2:
        raise OSError("not yet")
    return self.request.receive_count

@app.task(bind=True, queue="jobs")
def remaining(self) -> float:
    return self.request.time_remaining()

@app.task(bind=True, queue="steps.fifo", backoff=0.2)
def step(self, place: str, name: str) -> str:
    if name == "a1" and self.request.retries == 0:
        raise OSError("not yet")
    with open(place, "a") as file:
        file.write(name + "\\n")
    return name
"""
PREFIX = "test-"
PATIENCE = 30.0
TIMEOUT = 10


@dataclass
class Deployed:
    """The app as its publisher has it, and the emulator that runs it."""

    jobs: Any
    client: Callable[[str], Any]

    @property
    def app(self) -> cloudq.App:
        return self.jobs.app

    def stats(self, queue="jobs"):
        return self.app.broker.stats(queue)


@pytest.fixture
def deployed(emulator, tmp_path, monkeypatch) -> Iterator[Deployed]:
    environment = {
        "CLOUDQ_BROKER_URL": f"sqs://?prefix={PREFIX}",
        "CLOUDQ_RESULT_BACKEND": f"sqlite:///{tmp_path}/results.db",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    jobs = published(tmp_path)
    for queue in jobs.app.queues.values():
        jobs.app.broker.declare(Queue(queue.name, lease=TIMEOUT))
    made: dict[str, Any] = {}

    def client(service):
        if service not in made:
            made[service] = boto3.client(service)
        return made[service]

    deploy(client, {name: value for name, value in environment.items() if name.startswith("CLOUDQ_")})
    yield Deployed(jobs, client)
    jobs.app.close()
    for one in made.values():
        one.close()
    emulator.control("POST", "/_cloudq/reset")


def published(folder):
    path = folder / "jobs.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("jobs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def deploy(client, variables):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("jobs.py", SOURCE)
    client("lambda").create_function(
        FunctionName="jobs",
        Role=client("iam").create_role(RoleName="jobs", AssumeRolePolicyDocument="{}")["Role"]["Arn"],
        Handler="cloudq.lambda_handler.handler",
        Runtime="python3.12",
        Code={"ZipFile": archive.getvalue()},
        Timeout=TIMEOUT,
        Environment={"Variables": {**variables, "CLOUDQ_APP": "jobs:app"}},
    )
    for name in ("jobs", "steps.fifo"):
        client("lambda").create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:{client('sqs').meta.region_name}:000000000000:{PREFIX}{name}",
            FunctionName="jobs",
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )


def test_tasks_run_in_a_function_and_their_results_come_back(deployed):
    results = deployed.jobs.double.delay_many([(n,) for n in range(12)])

    assert results.get(timeout=PATIENCE) == [2 * n for n in range(12)]
    wait_until(lambda: deployed.stats().leased == deployed.stats().ready == 0)


def test_failures_return_after_their_backoff_and_not_after_the_visibility_timeout(deployed):
    started_at = SystemClock().monotonic()

    assert deployed.jobs.third_time.delay().get(timeout=PATIENCE) == 3
    assert SystemClock().monotonic() - started_at < TIMEOUT


def test_what_cannot_succeed_lies_in_the_dead_letter_queue_with_its_reason(deployed):
    result = deployed.jobs.give_up.delay()

    with pytest.raises(cloudq.TaskFailedError, match="never works"):
        result.get(timeout=PATIENCE)
    wait_until(lambda: deployed.stats().dead == 1)
    (letter,) = deployed.app.broker.receive(["jobs-dead"], limit=1, lease=30, wait=5)
    assert (letter.reason.code, letter.reason.error) == ("failed", "RuntimeError: never works")
    assert "in give_up" in letter.reason.traceback


def test_body_of_a_stranger_is_dead_lettered(deployed):
    sqs = deployed.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{PREFIX}jobs")["QueueUrl"]

    sqs.send_message(QueueUrl=url, MessageBody="hello")

    wait_until(lambda: deployed.stats().dead == 1)
    assert deployed.jobs.double.delay(4).get(timeout=PATIENCE) == 8


def test_task_knows_how_much_of_the_invocation_is_left(deployed):
    assert 0 < deployed.jobs.remaining.delay().get(timeout=PATIENCE) <= TIMEOUT - 2


def test_group_keeps_its_order_behind_a_failure(deployed, tmp_path):
    place = tmp_path / "steps"
    names = ["a1", "b1", "a2", "b2", "a3"]

    results = [deployed.jobs.step.apply_async((str(place), name), group_id=name[0]) for name in names]

    assert [result.get(timeout=PATIENCE) for result in results] == names
    ran = place.read_text().split()
    assert [name for name in ran if name[0] == "a"] == ["a1", "a2", "a3"]
    assert [name for name in ran if name[0] == "b"] == ["b1", "b2"]
