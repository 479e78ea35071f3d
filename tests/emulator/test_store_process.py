"""``cloudq emulate --data`` as a process: what it keeps whatever ends it."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import urllib.request

import boto3
import pytest

EMULATE = [sys.executable, "-m", "cloudq_emulator.cli"]


@pytest.fixture
def start(tmp_path):
    """Starts an emulator on the folder; gives it, what it said at its start, and a client."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDQ_"))}
    environ = {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    with contextlib.ExitStack() as stack:

        def start(*arguments):
            command = [*EMULATE, "--port", "0", "--json", "--data", str(tmp_path / "data"), *arguments]
            process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
            stack.callback(process.stdout.close)
            stack.callback(process.wait)
            stack.callback(process.kill)
            told = json.loads(process.stdout.readline())
            session = boto3.Session("a", "b", region_name="us-east-1")
            client = session.client("sqs", endpoint_url=told["endpoint"])
            stack.callback(client.close)
            return process, told, client

        yield start


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_sent_survives_whatever_ends_the_emulator(start, number):
    process, told, sqs = start()
    assert told["restored"] == {"queue_count": 0, "message_count": 0}
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    sent = [sqs.send_message(QueueUrl=url, MessageBody=str(n))["MessageId"] for n in range(50)]
    process.send_signal(number)
    process.wait(timeout=20)

    _, told, sqs = start()

    assert told["restored"] == {"queue_count": 1, "message_count": 50}
    url = sqs.get_queue_url(QueueName="queue")["QueueUrl"]
    received = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        received += [message["MessageId"] for message in messages]
    assert received == sent


@pytest.mark.slow
def test_the_start_lines_say_what_was_restored_and_what_time_it_is(start, tmp_path):
    process, told, sqs = start("--queue", "queue")
    url = sqs.get_queue_url(QueueName="queue")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    order = urllib.request.Request(told["endpoint"] + "/_cloudq/clock", b'{"set": "2030-01-01T00:00:00Z"}')
    urllib.request.urlopen(order, timeout=10).close()
    sqs.list_queues()  # what the move changed is on the disk by now
    process.kill()
    process.wait(timeout=20)

    command = [*EMULATE, "--port", "0", "--data", str(tmp_path / "data"), "--", "true"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=40, check=True)

    first, second, *_ = done.stderr.splitlines()
    assert f"1 queue and 1 message restored from {tmp_path / 'data'}, all else empty" in first
    assert second.startswith("  clock: 2030-01-01 00:0")


@pytest.mark.slow
def test_on_a_full_disk_nobody_is_told_that_a_message_is_kept_which_is_not(start):
    process, told, sqs = start()
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (20_000, 20_000))
    url = sqs.create_queue(QueueName="queue")["QueueUrl"]
    sent = 0
    with contextlib.suppress(sqs.exceptions.ClientError):
        while sent < 200:
            sqs.send_message(QueueUrl=url, MessageBody=300 * "a")
            sent += 1
    with pytest.raises(
        sqs.exceptions.ClientError, match=r"InternalFailure.*can't be written: File too large"
    ):
        sqs.send_message(QueueUrl=url, MessageBody=300 * "a")
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    process.kill()
    process.wait(timeout=20)

    _, told, sqs = start()

    assert 10 < sent < 200
    assert told["restored"] == {"queue_count": 1, "message_count": sent}


@pytest.mark.slow
def test_a_template_finds_its_queues_again(start, tmp_path):
    queue = {"QueueName": "made", "VisibilityTimeout": 70}
    named = {"Type": "AWS::SQS::Queue", "Properties": queue}
    template = tmp_path / "template.json"
    template.write_text(json.dumps({"Resources": {"Made": named}}))
    process, _, sqs = start("--template", str(template))
    url = sqs.get_queue_url(QueueName="made")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    process.kill()
    process.wait(timeout=20)
    queue["VisibilityTimeout"] = 80
    template.write_text(json.dumps({"Resources": {"Made": named}}))

    _, told, sqs = start("--template", str(template))

    assert told["restored"] == {"queue_count": 1, "message_count": 1}
    url = sqs.get_queue_url(QueueName="made")["QueueUrl"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (got["VisibilityTimeout"], got["ApproximateNumberOfMessages"]) == ("80", "1")
