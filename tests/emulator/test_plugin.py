"""The pytest plugin: the fixture `cloudq_emulator`, an emulator of its own for each session."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from cloudq_emulator import remote
from cloudq_emulator.remote import EmulatorError

pytest_plugins = ["pytester"]


@pytest.fixture
def queue(cloudq_emulator):
    sqs = cloudq_emulator.client("sqs")
    return sqs, sqs.create_queue(QueueName="queue")["QueueUrl"]


def test_a_message_is_visible_again_after_twelve_hours_in_no_time(cloudq_emulator, queue):
    sqs, url = queue
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=43_200)

    cloudq_emulator.clock.advance(timedelta(hours=12) - timedelta(seconds=30))
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    cloudq_emulator.clock.advance(30)

    assert [message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]] == ["x"]


@pytest.mark.parametrize("time", ["first", "second"])
def test_every_test_begins_with_an_empty_emulator_on_real_time(cloudq_emulator, time):
    sqs = cloudq_emulator.client("sqs")

    assert "QueueUrls" not in sqs.list_queues()
    assert [row["operation"] for row in cloudq_emulator.requests()] == ["ListQueues"]
    assert abs(cloudq_emulator.clock.now() - datetime.now(UTC)) < timedelta(seconds=10)

    sqs.create_queue(QueueName=f"queue-{time}")
    cloudq_emulator.clock.advance(1_000_000)


def test_every_sdk_finds_it_by_the_environment(cloudq_emulator):
    assert os.environ["AWS_ENDPOINT_URL"] == cloudq_emulator.endpoint_url

    boto3.client("sqs").create_queue(QueueName="found")

    url = cloudq_emulator.client("sqs").get_queue_url(QueueName="found")["QueueUrl"]
    assert url == f"{cloudq_emulator.endpoint_url}/000000000000/found"


def test_clients_are_of_any_service_and_region(cloudq_emulator):
    assert cloudq_emulator.client("sqs").meta.region_name == "us-east-1"
    assert cloudq_emulator.client("sqs") is cloudq_emulator.client("sqs")

    sns = cloudq_emulator.client("sns", region="eu-west-1")

    assert sns.create_topic(Name="news")["TopicArn"] == "arn:aws:sns:eu-west-1:000000000000:news"


def test_the_clock_is_set_frozen_and_scaled(cloudq_emulator):
    clock = cloudq_emulator.clock
    millennium = datetime(2000, 1, 1, tzinfo=UTC)

    clock.freeze()

    assert clock.set(millennium) == millennium
    assert clock.advance(1.5) == clock.now() == millennium + timedelta(seconds=1.5)
    clock.scale(1000)
    clock.freeze(False)
    assert clock.now() > millennium + timedelta(seconds=1.5)


def test_messages_are_seen_without_being_received(cloudq_emulator, queue):
    sqs, url = queue
    sqs.send_message(QueueUrl=url, MessageBody="x")

    (message,) = cloudq_emulator.messages("queue")

    assert (message["body"], message["state"], message["receive_count"]) == ("x", "ready", 0)


def test_what_it_refuses_is_an_error_that_says_why(cloudq_emulator):
    with pytest.raises(EmulatorError, match="advance must be >= 0"):
        cloudq_emulator.clock.advance(-1)
    with pytest.raises(EmulatorError, match="no queue none"):
        cloudq_emulator.messages("none")


def test_one_that_cannot_start_says_so():
    with pytest.raises(EmulatorError, match="ended with 2 at its start"), remote.running("--account", "1"):
        pass


def test_importing_it_loads_nothing_that_is_slow():
    script = "import sys, cloudq_emulator.pytest_plugin, cloudq_emulator.remote; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"moto", "boto3", "botocore", "httptools", "asyncio", "flask"})


@pytest.mark.slow
def test_each_worker_of_xdist_has_one_of_its_own(pytester):
    pytester.makepyfile(
        """
        import pathlib, pytest

        @pytest.mark.parametrize("number", range(8))
        def test_alone(cloudq_emulator, number, worker_id):
            sqs = cloudq_emulator.client("sqs")
            assert "QueueUrls" not in sqs.list_queues()
            sqs.create_queue(QueueName="same-name")
            pathlib.Path(__file__).with_name(worker_id).write_text(cloudq_emulator.endpoint_url)
        """
    )

    result = pytester.runpytest_subprocess("-n", "2", "-p", "no:cacheprovider")

    result.assert_outcomes(passed=8)
    endpoints = {(pytester.path / worker).read_text() for worker in ("gw0", "gw1")}
    assert len(endpoints) == 2


def test_it_stops_when_whoever_started_it_is_gone(pytester):
    pytester.makepyfile(
        """
        import os, signal

        def test_killed(cloudq_emulator):
            print(cloudq_emulator.endpoint_url, file=open("endpoint", "w"), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )

    pytester.runpytest_subprocess("-p", "no:cacheprovider")

    emulator = remote.Emulator((pytester.path / "endpoint").read_text().strip())
    wait_until_gone(emulator)


def wait_until_gone(emulator):
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while datetime.now(UTC) < deadline:
        try:
            emulator.clock.now()
        except OSError:
            return
    pytest.fail("it still runs")
