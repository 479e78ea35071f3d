"""What obeys the clock that is moved, and what stays real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import cloudq
from cloudq.clock import SystemClock
from cloudq_emulator import remote
from tests.waiting import wait_until

LATER = datetime(2040, 1, 1, tzinfo=UTC)
ROLE = "arn:aws:iam::000000000000:role/role"


@pytest.fixture
def later(emulator):
    emulator.clock(freeze=True)
    emulator.clock(set=LATER.isoformat())
    return emulator


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="queue")["QueueUrl"]


@pytest.fixture
def polled(emulator, sqs, queue):
    """A long poll of twenty seconds that waits; what it received, and how long it really took."""
    done = []

    def poll():
        started = time.monotonic()
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
        done.append(([message["Body"] for message in answer.get("Messages", ())], time.monotonic() - started))

    thread = threading.Thread(target=poll)
    thread.start()
    emulator.wait_for_polls(1)

    def join():
        thread.join(timeout=30)
        return done[0]

    yield join
    thread.join()


def received(sqs, queue):
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    return json.loads(message["Body"])


def test_what_sns_delivers_bears_the_clocks_time(later, sqs, queue):
    sns = later.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:000000000000:queue")

    sns.publish(TopicArn=topic, Message="x")

    assert received(sqs, queue)["Timestamp"] == "2040-01-01T00:00:00.000Z"


def test_events_bear_the_clocks_time(later, sqs, queue):
    events = later.client("events")
    events.put_rule(Name="rule", EventPattern='{"source": ["shop"]}')
    target = {"Id": "1", "Arn": "arn:aws:sqs:eu-west-1:000000000000:queue"}
    events.put_targets(Rule="rule", Targets=[target])

    events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": "{}"}])

    assert received(sqs, queue)["time"] == "2040-01-01T00:00:00Z"


def test_schedules_and_log_groups_are_made_at_the_clocks_time(later):
    scheduler, logs = later.client("scheduler"), later.client("logs")
    scheduler.create_schedule(
        Name="nightly",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:sqs:eu-west-1:000000000000:queue", "RoleArn": ROLE},
    )
    logs.create_log_group(logGroupName="group")

    assert scheduler.get_schedule(Name="nightly")["CreationDate"] == LATER
    (group,) = logs.describe_log_groups()["logGroups"]
    assert group["creationTime"] == LATER.timestamp() * 1000


def test_log_events_are_too_old_by_the_clocks_time(later):
    logs = later.client("logs")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    moments = [LATER - timedelta(days=15), LATER]
    events = [{"timestamp": int(at.timestamp() * 1000), "message": str(at.year)} for at in moments]

    answer = logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=events)

    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 0}


def test_what_sdks_compare_with_their_own_clock_stays_real(later):
    credentials = later.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="session")["Credentials"]

    assert abs(credentials["Expiration"] - datetime.now(UTC)) < timedelta(hours=2)


def test_functions_have_real_time_and_log_at_the_clocks(later):
    source = "import time\ndef handler(event, context): print('runs'); return time.time()"
    lambda_ = later.create_function("now", source)

    ran_at = json.load(lambda_.invoke(FunctionName="now")["Payload"])

    assert abs(ran_at - datetime.now(UTC).timestamp()) < 10
    assert _printed_at(later.client("logs"), "runs") == LATER.timestamp() * 1000


def _printed_at(logs, line):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if logs.describe_log_groups()["logGroups"]:
            events = logs.filter_log_events(logGroupName="/aws/lambda/now")["events"]
            times = [event["timestamp"] for event in events if event["message"] == line]
            if times:
                return times[0]
    pytest.fail("it was never logged")


def test_a_long_poll_ends_at_once_when_its_time_is_advanced(later, polled):
    later.clock(advance=20)

    bodies, seconds = polled()

    assert bodies == []
    assert seconds < 10


def test_a_long_poll_wakes_when_a_delay_is_advanced(later, sqs, queue, polled):
    sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=900)
    later.clock(advance=15)
    later.clock(advance=4)
    assert later.control("GET", "/_cloudq/health")[1]["waiting"] == 1

    later.clock(set=(LATER + timedelta(seconds=900)).isoformat())

    assert polled()[0] == ["x"]


@pytest.mark.slow
def test_a_long_poll_on_a_frozen_clock_ends_after_its_time_in_reality(later, sqs, queue):
    started = time.monotonic()

    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)

    assert 1.9 < time.monotonic() - started < 10


def test_retries_for_three_days_take_no_time(later, sqs):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead", "maxReceiveCount": 6}
    attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "43200"}
    queue = sqs.create_queue(QueueName="queue", Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")

    for _ in range(6):
        assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        later.clock(advance=12 * 3600)

    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    assert len(sqs.receive_message(QueueUrl=dead)["Messages"]) == 1


def test_an_app_in_a_test_follows_the_clock(cloudq_emulator):
    app = cloudq.App("test", broker="memory://")
    before = app.clock.now(), app.clock.monotonic()

    cloudq_emulator.clock.advance(43_200)

    assert app.clock.now() - before[0] == pytest.approx(43_200, abs=10)
    assert app.clock.monotonic() - before[1] == pytest.approx(43_200, abs=10)
    cloudq_emulator.clock.freeze()
    assert cloudq_emulator.clock.set(LATER).timestamp() == app.clock.now() == app.clock.now()


def test_who_waits_on_a_followed_clock_wakes_when_it_is_moved(cloudq_emulator):
    clock = cloudq.App("test", broker="memory://").clock
    condition, until = threading.Condition(), clock.monotonic() + 3600

    def wait():
        with condition:
            while clock.monotonic() < until:
                clock.wait(condition, until)
        clock.sleep(3600)

    thread = threading.Thread(target=wait)
    thread.start()
    while thread.is_alive():
        cloudq_emulator.clock.advance(1800)
        thread.join(0.02)


def test_what_the_clock_says_is_followed_in_a_commands_processes():
    script = """
import json, os, urllib.request, cloudq
from cloudq.clock import SystemClock
app = cloudq.App("test", broker="memory://")
data = json.dumps({"advance": 86400}).encode()
urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_cloudq/clock", data)
print(app.clock.now() - SystemClock().now(), flush=True)
if os.fork() == 0:
    print(app.clock.now() - SystemClock().now(), flush=True)
    os._exit(0)
os.wait()
"""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "cloudq_emulator.cli", "--port", "0", "--", sys.executable, "-c", script]

    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=40, check=True)

    assert [round(float(line), -1) for line in done.stdout.split()] == [86_400, 86_400]


def test_an_emulator_that_stops_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    with remote.running() as emulator:
        assert list(tmp_path.glob("cloudq-clock-*")) == [Path(emulator.clock_path)]

    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_is_gone_is_not_followed(tmp_path):
    app = cloudq.App("test", environ={"CLOUDQ_CLOCK": str(tmp_path / "gone")})

    assert abs(app.clock.now() - SystemClock().now()) < 10


@pytest.mark.slow
def test_a_worker_keeps_its_leases_when_the_clock_is_moved(cloudq_emulator, tmp_path):
    """Forty seconds at a time are less than its lease, and more than the half at which it extends it."""
    (tmp_path / "app.py").write_text(
        """
import pathlib, cloudq, time
app = cloudq.App("app", broker="sqs://", task_lease=60.0)
@app.task
def slow(folder):
    folder = pathlib.Path(folder)
    with (folder / "runs").open("a") as runs: runs.write("run\\n")
    while not (folder / "go").exists(): time.sleep(0.01)
"""
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    call = f"import app; app.slow.delay({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", call], env=environ, timeout=30, check=True)
    worker = subprocess.Popen(
        [sys.executable, "-m", "cloudq", "worker", "-A", "app", "-c", "1"],
        env=environ,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until((tmp_path / "runs").exists)
        for _ in range(5):
            before = extensions(cloudq_emulator)
            cloudq_emulator.clock.advance(40)
            wait_until(lambda seen=before: extensions(cloudq_emulator) > seen)
        (tmp_path / "go").touch()
        wait_until(lambda: cloudq_emulator.messages("default") == [])
    finally:
        worker.kill()
        worker.wait(timeout=20)
    assert (tmp_path / "runs").read_text() == "run\n"


def extensions(emulator):
    rows = [row for row in emulator.requests() if row["operation"].startswith("ChangeMessageVisibility")]
    return sum(row["count"] for row in rows)
