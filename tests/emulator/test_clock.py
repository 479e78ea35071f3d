"""What obeys the clock that is moved, and what stays real."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

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
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", source)
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = later.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    lambda_ = later.client("lambda")
    lambda_.create_function(
        FunctionName="now",
        Role=role,
        Handler="app.handler",
        Runtime="python3.12",
        Code={"ZipFile": buffer.getvalue()},
    )

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
