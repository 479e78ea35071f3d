"""Message move tasks over real HTTP, as boto3 sees them, on a clock that stands still."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:sqs:eu-west-1:000000000000:"


@pytest.fixture
def frozen(emulator):
    emulator.clock(freeze=True)
    return emulator


@pytest.fixture
def dead(frozen, sqs):
    """The URL of a dead-letter queue with ten letters from the queue "work"."""
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    work = create_source(sqs, "work")
    for number in range(10):
        sqs.send_message(QueueUrl=work, MessageBody=str(number))
    for _ in range(2):
        receive(sqs, work, VisibilityTimeout=0)
    assert count(sqs, url) == 10
    return url


def create_source(sqs, name):
    policy = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 1})
    return sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]


def receive(sqs, url, **how):
    how = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], **how}
    return sqs.receive_message(QueueUrl=url, **how).get("Messages", [])


def count(sqs, url):
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def url_of(sqs, name):
    return sqs.get_queue_url(QueueName=name)["QueueUrl"]


def tasks(sqs, **how):
    return sqs.list_message_move_tasks(SourceArn=ARN + "dead", **how)["Results"]


def refused(do, **params):
    with pytest.raises(ClientError) as caught:
        do(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_dead_letters_go_back_to_where_they_came_from_as_new_messages(frozen, sqs, dead):
    (old,) = receive(sqs, dead, MaxNumberOfMessages=1, VisibilityTimeout=0)
    frozen.clock(advance=3600)

    handle = sqs.start_message_move_task(SourceArn=ARN + "dead")["TaskHandle"]
    frozen.clock(advance=1)

    assert json.loads(base64.b64decode(handle))["sourceArn"] == ARN + "dead"
    moved = receive(sqs, url_of(sqs, "work"))
    assert [message["Body"] for message in moved] == [str(number) for number in range(10)]
    assert moved[0]["MessageId"] != old["MessageId"]
    assert moved[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "DeadLetterQueueSourceArn" not in moved[0]["Attributes"]
    sent_later = int(moved[0]["Attributes"]["SentTimestamp"]) - int(old["Attributes"]["SentTimestamp"])
    assert 3_600_000 <= sent_later < 3_700_000
    assert count(sqs, dead) == 0
    (task,) = tasks(sqs)
    started = task.pop("StartedTimestamp")
    assert isinstance(started, int)
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": ARN + "dead",
        "ApproximateNumberOfMessagesMoved": 10,
        "ApproximateNumberOfMessagesToMove": 10,
    }


def test_a_task_moves_so_many_a_second_and_can_be_cancelled(frozen, sqs, dead):
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    handle = sqs.start_message_move_task(
        SourceArn=ARN + "dead", DestinationArn=ARN + "other", MaxNumberOfMessagesPerSecond=2
    )["TaskHandle"]
    assert count(sqs, other) == 1
    frozen.clock(advance=1)
    assert count(sqs, other) == 3
    (task,) = tasks(sqs)
    assert (task["Status"], task["TaskHandle"]) == ("RUNNING", handle)
    assert (task["DestinationArn"], task["MaxNumberOfMessagesPerSecond"]) == (ARN + "other", 2)

    assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] == 3

    frozen.clock(advance=60)
    assert (count(sqs, other), count(sqs, dead)) == (3, 7)
    (task,) = tasks(sqs)
    assert task["Status"] == "CANCELLED"
    assert "TaskHandle" not in task
    assert refused(sqs.cancel_message_move_task, TaskHandle=handle) == (
        "ResourceNotFoundException",
        "Task does not exist.",
    )


def test_without_a_rate_a_task_moves_five_hundred_a_second(frozen, sqs):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    create_source(sqs, "work")
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    for start in range(0, 1_000, 10):
        entries = [{"Id": str(n), "MessageBody": "x"} for n in range(start, start + 10)]
        sqs.send_message_batch(QueueUrl=dead, Entries=entries)

    sqs.start_message_move_task(SourceArn=ARN + "dead", DestinationArn=ARN + "other")
    frozen.clock(advance=1)

    assert count(sqs, other) == 501


def test_a_long_poll_wakes_when_a_task_brings_a_message(emulator, sqs, dead):
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    start = {"SourceArn": ARN + "dead", "DestinationArn": ARN + "other", "MaxNumberOfMessagesPerSecond": 1}
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(receive, sqs, other, WaitTimeSeconds=20)
        emulator.wait_for_polls(1)
        sqs.start_message_move_task(**start)
        assert [message["Body"] for message in poll.result(timeout=10)] == ["0"]

        poll = threads.submit(receive, sqs, other, WaitTimeSeconds=20)
        emulator.wait_for_polls(1)
        emulator.clock(advance=1)
        assert [message["Body"] for message in poll.result(timeout=10)] == ["1"]


@pytest.mark.parametrize("sent", ["to the dead-letter queue itself", "by a queue that is gone"])
def test_a_task_fails_at_a_message_that_has_nowhere_to_go(frozen, sqs, dead, sent):
    if sent == "by a queue that is gone":
        create_source(sqs, "another")
        sqs.delete_queue(QueueUrl=url_of(sqs, "work"))
        reason, moved = "AWS.SimpleQueueService.NonExistentQueue", 0
    else:
        sqs.send_message(QueueUrl=dead, MessageBody="direct")
        reason, moved = "CouldNotDetermineMessageSource", 10

    sqs.start_message_move_task(SourceArn=ARN + "dead")
    frozen.clock(advance=60)

    (task,) = tasks(sqs)
    assert (task["Status"], task["FailureReason"]) == ("FAILED", reason)
    assert task["ApproximateNumberOfMessagesMoved"] == moved
    assert count(sqs, dead) == 10 - moved + (reason == "CouldNotDetermineMessageSource")


def test_one_task_runs_at_a_time_and_the_latest_are_listed(frozen, sqs, dead):
    start = {"SourceArn": ARN + "dead", "MaxNumberOfMessagesPerSecond": 1}
    sqs.start_message_move_task(**start)

    code, text = refused(sqs.start_message_move_task, **start)

    assert code == "InvalidParameterValue"
    assert text.startswith("There is already a task running.")
    frozen.clock(advance=60)
    sqs.start_message_move_task(**start)
    assert len(tasks(sqs)) == 1
    assert len(tasks(sqs, MaxResults=10)) == 2


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        (
            {"SourceArn": ARN + "work"},
            "InvalidParameterValue",
            "Source queue must be configured as a Dead Letter Queue.",
        ),
        (
            {"SourceArn": ARN + "none"},
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        ),
        (
            {"SourceArn": ARN + "dead", "DestinationArn": ARN + "none"},
            "ResourceNotFoundException",
            "The resource that you specified for the DestinationArn parameter doesn't exist.",
        ),
        (
            {"SourceArn": ARN + "dead", "MaxNumberOfMessagesPerSecond": 501},
            "InvalidParameterValue",
            "between 1 and 500",
        ),
        ({"SourceArn": ARN + "dead", "DestinationArn": ARN + "dead"}, "InvalidParameterValue", "the same"),
    ],
    ids=["no dead-letter queue", "no source", "no destination", "too fast", "to itself"],
)
def test_tasks_that_make_no_sense_are_refused(sqs, dead, params, code, text):
    got, said = refused(sqs.start_message_move_task, **params)

    assert got == code
    assert text in said


@pytest.mark.parametrize(
    ("handle", "code"),
    [
        ("foobared", "InvalidParameterValue"),
        (base64.b64encode(b'{"taskId":"1","sourceArn":"none"}').decode(), "ResourceNotFoundException"),
    ],
)
def test_handles_of_no_task_are_refused(sqs, handle, code):
    assert refused(sqs.cancel_message_move_task, TaskHandle=handle)[0] == code
