"""Long polls and what comes in the same breath as they do: before the event loop has turned once."""

from __future__ import annotations

import asyncio
import json

import pytest

from cloudq_emulator.caller import Caller
from cloudq_emulator.clock import MovableClock
from cloudq_emulator.counts import RequestCounts
from cloudq_emulator.http import Request
from cloudq_emulator.sqs.door import SqsDoor
from cloudq_emulator.sqs.service import SqsService

CALLER = Caller("123456789012", "eu-west-1", "sqs")
ORIGIN = "http://localhost:4566"


@pytest.fixture
def service():
    return SqsService(MovableClock())


@pytest.fixture
def door(service):
    return SqsDoor(service, RequestCounts())


def ask(door, operation, **params):
    headers = {b"x-amz-target": f"AmazonSQS.{operation}".encode(), b"host": b"localhost:4566"}
    body = json.dumps(params).encode()
    return door.answer_json(Request("POST", "/", headers, list(headers.items()), body, True), CALLER)


async def poll_and_then(door, operation, **params):
    """What a poll brings that another connection's request follows at once."""
    url = json.loads(ask(door, "CreateQueue", QueueName="orders").body)["QueueUrl"]
    coming = ask(door, "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20)
    ask(door, operation, QueueUrl=url, **params)
    return json.loads((await asyncio.wait_for(coming, 5)).body)


def test_a_message_sent_right_behind_a_poll_ends_it(door, service):
    answer = asyncio.run(poll_and_then(door, "SendMessage", MessageBody="here"))

    assert [message["Body"] for message in answer["Messages"]] == ["here"]
    assert service.polls.count == 0


def test_a_queue_deleted_right_behind_a_poll_ends_it(door, service):
    answer = asyncio.run(poll_and_then(door, "DeleteQueue"))

    assert answer == {}
    assert service.polls.count == 0
