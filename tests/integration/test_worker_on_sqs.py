"""A real worker on SQS, through the emulator: queues that vanish, messages by plain boto3."""

from __future__ import annotations

import json

import boto3
import pytest
import worker_app

import cloudq
from tests.emulator_process import EmulatorProcess
from tests.integration.worker_process import Start
from tests.waiting import wait_until


@pytest.fixture
def broker() -> str:
    return "sqs"


def test_a_message_by_plain_boto3_is_run_and_a_dead_one_is_read_by_it(app: cloudq.App, start: Start):
    queue = app.conf.settings.task_default_queue
    app.declare(queue)
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=f"{queue}-dead")["QueueUrl"]
    good = {"v": 1, "id": "by-hand", "task": "worker_app.add", "args": [1], "kwargs": {"y": 2}}

    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(good))
    sqs.send_message(QueueUrl=url, MessageBody="no message")
    start("-c", "1")

    assert worker_app.add.result("by-hand").get(timeout=20) == 3
    (found,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"]).get("Messages"),
        "the dead letter",
    )
    assert found["Body"] == "no message"
    reason = json.loads(found["MessageAttributes"]["cloudq.dead"]["StringValue"])
    assert (reason["code"], reason["queue"]) == ("bad_body", queue)


def test_a_queue_that_vanishes_under_a_running_worker_is_made_anew(
    app: cloudq.App, start: Start, emulator: EmulatorProcess
):
    start("-c", "1")
    assert worker_app.add.delay(1, 1).get(timeout=20) == 2

    emulator.control("POST", "/_cloudq/reset")

    assert worker_app.add.delay(2, 2).get(timeout=30) == 4
