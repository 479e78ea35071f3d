"""Standard queues over real HTTP, as boto3 sees them: messages."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.waiting import wait_until

ALL = {"MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="work")["QueueUrl"]


def counts(sqs, url):
    names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesDelayed",
    ]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return tuple(int(attributes[name]) for name in names)


def receive(sqs, url, **how):
    return sqs.receive_message(QueueUrl=url, **how).get("Messages", [])


def refused(do, **params):
    with pytest.raises(ClientError) as caught:
        do(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_a_message_arrives_as_it_was_sent(sqs, url):
    attributes = {
        "text": {"DataType": "String", "StringValue": "größe"},
        "number": {"DataType": "Number.int", "StringValue": "12"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }

    sent = sqs.send_message(QueueUrl=url, MessageBody="häl\tlo\r\n🙂", MessageAttributes=attributes)
    (message,) = receive(sqs, url, **ALL)

    assert message["MessageId"] == sent["MessageId"]
    assert message["Body"] == "häl\tlo\r\n🙂"
    assert (
        message["MD5OfBody"] == sent["MD5OfMessageBody"] == hashlib.md5("häl\tlo\r\n🙂".encode()).hexdigest()
    )
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60


def test_a_leased_message_is_hidden_until_it_is_given_back(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (first,) = receive(sqs, url)
    assert receive(sqs, url) == []
    assert counts(sqs, url) == (0, 1, 0)

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    (second,) = receive(sqs, url, **ALL)

    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_lease_that_ends_brings_the_message_back(emulator, sqs, url):
    emulator.clock(freeze=True)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    receive(sqs, url, VisibilityTimeout=10)

    emulator.clock(advance=9)
    assert receive(sqs, url) == []
    emulator.clock(advance=1)

    assert len(receive(sqs, url)) == 1


def test_a_deleted_message_is_gone_and_deleting_again_is_no_error(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x")
    handle = receive(sqs, url)[0]["ReceiptHandle"]

    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)

    assert counts(sqs, url) == (0, 0, 0)


def test_an_old_receipt_changes_a_newer_lease_and_deletes_the_message(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x")
    old = receive(sqs, url, VisibilityTimeout=0)[0]["ReceiptHandle"]
    receive(sqs, url)

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=old, VisibilityTimeout=0)
    assert counts(sqs, url) == (1, 0, 0)
    receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=old)

    assert counts(sqs, url) == (0, 0, 0)


def test_delays_hide_a_message_and_count_as_delayed(emulator, sqs, url):
    emulator.clock(freeze=True)
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=60)
    assert counts(sqs, url) == (0, 0, 1)
    assert receive(sqs, url) == []

    emulator.clock(advance=60)

    assert counts(sqs, url) == (1, 0, 0)
    assert len(receive(sqs, url)) == 1


def test_a_message_may_undo_its_queues_delay(sqs):
    url = sqs.create_queue(QueueName="slow", Attributes={"DelaySeconds": "60"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="late")
    sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)

    assert [message["Body"] for message in receive(sqs, url, MaxNumberOfMessages=10)] == ["now"]
    assert counts(sqs, url) == (0, 1, 1)


def test_messages_expire_after_their_retention(emulator, sqs):
    url = sqs.create_queue(QueueName="short", Attributes={"MessageRetentionPeriod": "60"})["QueueUrl"]
    emulator.clock(freeze=True)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    receive(sqs, url, VisibilityTimeout=100)

    emulator.clock(advance=61)

    assert counts(sqs, url) == (0, 0, 0)


def test_the_twelve_hours_of_a_lease_count_from_the_receive(emulator, sqs, url):
    emulator.clock(freeze=True)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    emulator.clock(advance=3600)
    handle = receive(sqs, url)[0]["ReceiptHandle"]
    extend = {"QueueUrl": url, "ReceiptHandle": handle}

    sqs.change_message_visibility(**extend, VisibilityTimeout=43200)
    emulator.clock(advance=1)

    code, text = refused(sqs.change_message_visibility, **extend, VisibilityTimeout=43200)
    assert code == "InvalidParameterValue"
    assert "beyond the limit [43200 seconds]" in text
    sqs.change_message_visibility(**extend, VisibilityTimeout=43199)


def test_a_lease_that_is_over_can_be_extended_until_the_message_is_gone(emulator, sqs, url):
    emulator.clock(freeze=True)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    handle = receive(sqs, url, VisibilityTimeout=2)[0]["ReceiptHandle"]
    change = {"QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 5}
    emulator.clock(advance=2)
    assert counts(sqs, url) == (1, 0, 0)

    sqs.change_message_visibility(**change)

    assert counts(sqs, url) == (0, 1, 0)
    assert receive(sqs, url) == []
    emulator.clock(advance=5)
    assert counts(sqs, url) == (1, 0, 0)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    code, text = refused(sqs.change_message_visibility, **change)
    assert code == "InvalidParameterValue"
    assert text.endswith("Message does not exist or is not available for visibility timeout change.")


def test_a_message_that_comes_back_keeps_its_place(emulator, sqs, url):
    emulator.clock(freeze=True)
    sqs.send_message(QueueUrl=url, MessageBody="1")
    receive(sqs, url, VisibilityTimeout=3)
    sqs.send_message(QueueUrl=url, MessageBody="2")

    emulator.clock(advance=3)

    assert [message["Body"] for message in receive(sqs, url, MaxNumberOfMessages=10)] == ["1", "2"]


def test_batches_answer_for_each_entry(sqs, url):
    answer = sqs.send_message_batch(
        QueueUrl=url,
        Entries=[{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "y", "DelaySeconds": 901}],
    )
    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["SenderFault"], failed["Code"]) == ("bad", True, "InvalidParameterValue")

    (message,) = receive(sqs, url, MaxNumberOfMessages=10)
    entry = {"Id": "a", "ReceiptHandle": message["ReceiptHandle"]}
    changed = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {**entry, "VisibilityTimeout": 5},
            {"Id": "b", "ReceiptHandle": "no", "VisibilityTimeout": 5},
        ],
    )
    assert [one["Id"] for one in changed["Successful"]] == ["a"]
    assert changed["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    deleted = sqs.delete_message_batch(QueueUrl=url, Entries=[entry, {"Id": "b", "ReceiptHandle": "no"}])
    assert [one["Id"] for one in deleted["Successful"]] == ["a"]
    assert deleted["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "AWS.SimpleQueueService.EmptyBatchRequest"),
        (
            [{"Id": str(n), "MessageBody": "x"} for n in range(11)],
            "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        ),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        ([{"Id": "x" * 81, "MessageBody": "x"}], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (
            [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)],
            "AWS.SimpleQueueService.BatchRequestTooLong",
        ),
    ],
)
def test_batches_are_refused_as_a_whole(sqs, url, entries, code):
    assert refused(sqs.send_message_batch, QueueUrl=url, Entries=entries)[0] == code
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "code", "part"),
    [
        ({"MessageBody": ""}, "MissingParameter", "MessageBody"),
        ({"MessageBody": "\x00"}, "InvalidMessageContents", "#x9 | #xA"),
        ({"MessageBody": "￾"}, "InvalidMessageContents", "#x9 | #xA"),
        ({"MessageBody": "x" * 1_048_577}, "InvalidParameterValue", "shorter than 1048576 bytes"),
        ({"DelaySeconds": 901}, "InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900"),
        ({"MessageDeduplicationId": "d"}, "InvalidParameterValue", "not valid for this queue type"),
        ({"MessageGroupId": "with space"}, "InvalidParameterValue", "MessageGroupId"),
        (
            {"MessageAttributes": {"a": {"DataType": "Text", "StringValue": "x"}}},
            "InvalidParameterValue",
            "type",
        ),
        (
            {"MessageAttributes": {"AWS.a": {"DataType": "String", "StringValue": "x"}}},
            "InvalidParameterValue",
            "AWS.",
        ),
        *(
            (
                {"MessageAttributes": {"a": {"DataType": "Number", "StringValue": value}}},
                "InvalidParameterValue",
                "number",
            )
            for value in ("x", "1e127", "1e-129", "1" * 39, "nan", "inf", "0x1", "1_0", "٣")
        ),
        *(
            (
                {"MessageAttributes": {name: {"DataType": "String", "StringValue": "x"}}},
                "InvalidParameterValue",
                "name",
            )
            for name in ("aWs.x", "AMAZON.x", ".a", "a.", "a..b", "a b", "a!", "x" * 257)
        ),
        (
            {"MessageAttributes": {"a": {"DataType": "String", "StringValue": "\x08"}}},
            "InvalidParameterValue",
            "Invalid characters",
        ),
        ({"MessageGroupId": ""}, "InvalidParameterValue", "Value  for parameter MessageGroupId"),
        (
            {"MessageAttributes": {"a": {"DataType": "String", "StringValue": ""}}},
            "InvalidParameterValue",
            "Message (user) attribute 'a' must contain a non-empty value of type 'String'.",
        ),
        (
            {"MessageAttributes": {str(n): {"DataType": "String", "StringValue": "x"} for n in range(11)}},
            "InvalidParameterValue",
            "[11]",
        ),
    ],
)
def test_what_sqs_would_not_take_is_refused(sqs, url, change, code, part):
    got, text = refused(sqs.send_message, **{"QueueUrl": url, "MessageBody": "x", **change})

    assert got == code
    assert part in text
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"MaxNumberOfMessages": 11},
        {"MaxNumberOfMessages": 0},
        {"WaitTimeSeconds": 21},
        {"VisibilityTimeout": 43201},
    ],
)
def test_receives_out_of_range_are_refused(sqs, url, change):
    assert refused(sqs.receive_message, QueueUrl=url, **change)[0] == "InvalidParameterValue"


def test_a_whole_mebibyte_is_taken_and_attributes_count(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x" * 1_048_576)
    attributes = {"a": {"DataType": "String", "StringValue": "x"}}

    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x" * 1_048_570, MessageAttributes=attributes)[
        0
    ] == ("InvalidParameterValue")
    assert len(receive(sqs, url)[0]["Body"]) == 1_048_576


def test_only_the_attributes_that_are_asked_for_come(sqs, url):
    value = {"DataType": "String", "StringValue": "x"}
    sqs.send_message(
        QueueUrl=url,
        MessageBody="x",
        MessageAttributes={"trace.id": value, "trace.span": value, "other": value},
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}},
    )

    def ask(**names):
        return receive(sqs, url, VisibilityTimeout=0, **names)[0]

    assert "Attributes" not in ask()
    assert "MessageAttributes" not in ask()
    assert set(ask(MessageAttributeNames=["trace.*"])["MessageAttributes"]) == {"trace.id", "trace.span"}
    assert set(ask(MessageAttributeNames=["other", "none"])["MessageAttributes"]) == {"other"}
    assert set(ask(MessageAttributeNames=["*"])["MessageAttributes"]) == {"trace.id", "trace.span", "other"}
    assert "MessageAttributes" not in ask(MessageAttributeNames=["AWS.", "..other"])
    assert set(ask(MessageAttributeNames=[".*"])["MessageAttributes"]) == {"trace.id", "trace.span", "other"}
    assert ask(MessageSystemAttributeNames=["AWSTraceHeader"])["Attributes"] == {"AWSTraceHeader": "Root=1"}
    assert set(ask(AttributeNames=["SentTimestamp"])["Attributes"]) == {"SentTimestamp"}


def test_numbers_and_names_that_aws_takes_are_taken(sqs, url):
    numbers = ("0", "-1.5", "9" * 38, "1e126", "1e-128", "000000000000000000000000000000000000000001.0")
    for number in numbers:
        attributes = {
            "attr.1øßä": {"DataType": "Number.any thing", "StringValue": number},
        }
        sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)

    assert counts(sqs, url) == (len(numbers), 0, 0)


def test_a_traces_header_becomes_the_system_attribute(sqs, url):
    trace = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"
    other = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=2"}}

    def add_header(request, **_):
        request.headers["X-Amzn-Trace-Id"] = trace

    sqs.meta.events.register("before-send.sqs.SendMessage", add_header)
    try:
        assert "MD5OfMessageSystemAttributes" not in sqs.send_message(QueueUrl=url, MessageBody="1")
        sqs.send_message(QueueUrl=url, MessageBody="2", MessageSystemAttributes=other)
    finally:
        sqs.meta.events.unregister("before-send.sqs.SendMessage", add_header)

    messages = receive(sqs, url, MaxNumberOfMessages=10, **ALL)
    assert [message["Attributes"]["AWSTraceHeader"] for message in messages] == [trace, "Root=2"]


def test_an_entry_that_is_too_long_for_its_queue_fails_alone(sqs):
    url = sqs.create_queue(QueueName="small", Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    entries = [{"Id": str(size), "MessageBody": "x" * size} for size in (1024, 1025)]

    (failed,) = sqs.send_message_batch(QueueUrl=url, Entries=entries)["Failed"]

    assert (failed["Id"], failed["Code"]) == ("1025", "InvalidParameterValue")
    assert failed["Message"] == (
        "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."
    )


def test_a_long_poll_wakes_when_a_message_arrives(emulator, sqs, url):
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(receive, sqs, url, WaitTimeSeconds=20)
        emulator.wait_for_polls(1)
        started = time.monotonic()
        sqs.send_message(QueueUrl=url, MessageBody="x")

        assert [message["Body"] for message in poll.result(timeout=10)] == ["x"]
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("kind", ["delay", "lease"])
def test_a_long_poll_wakes_when_a_delay_or_a_lease_ends_on_a_frozen_clock(emulator, sqs, url, kind):
    emulator.clock(freeze=True)
    sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=10 if kind == "delay" else 0)
    if kind == "lease":
        receive(sqs, url, VisibilityTimeout=10)
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(receive, sqs, url, WaitTimeSeconds=20)
        emulator.wait_for_polls(1)

        emulator.clock(advance=10)

        assert len(poll.result(timeout=10)) == 1


def test_a_long_poll_wakes_by_itself_when_a_lease_ends(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x")
    receive(sqs, url, VisibilityTimeout=1)

    assert len(receive(sqs, url, WaitTimeSeconds=20)) == 1


def test_a_long_poll_ends_empty_when_the_clock_passes_its_wait(emulator, sqs, url):
    emulator.clock(freeze=True)
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(receive, sqs, url, WaitTimeSeconds=20)
        emulator.wait_for_polls(1)

        emulator.clock(advance=20)

        assert poll.result(timeout=10) == []


def test_on_a_frozen_clock_a_long_poll_still_ends_in_real_time(emulator, sqs, url):
    emulator.clock(freeze=True)

    assert receive(sqs, url, WaitTimeSeconds=1) == []


def test_long_polls_are_served_in_the_order_in_which_they_came(emulator, sqs, url):
    served = []
    with ThreadPoolExecutor(3) as threads:
        for number in range(3):
            poll = threads.submit(receive, sqs, url, WaitTimeSeconds=20)
            poll.add_done_callback(lambda done, n=number: served.append((n, done.result()[0]["Body"])))
            emulator.wait_for_polls(number + 1)
        for body in "abc":
            sqs.send_message(QueueUrl=url, MessageBody=body)
            wait_until(lambda b=body: b in [got for _, got in served])

    assert served == [(0, "a"), (1, "b"), (2, "c")]


def test_messages_received_too_often_move_to_the_dead_letter_queue(emulator, sqs):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead", "maxReceiveCount": "2"}'
    url = sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    emulator.clock(freeze=True)
    sent = sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]
    for _ in range(2):
        assert len(receive(sqs, url, VisibilityTimeout=1)) == 1
        emulator.clock(advance=1)

    assert receive(sqs, url) == []

    (message,) = receive(sqs, dead, **ALL)
    assert message["MessageId"] == sent
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == "arn:aws:sqs:eu-west-1:000000000000:source"
    assert message["Attributes"]["ApproximateReceiveCount"] == "3"
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    assert counts(sqs, url) == (0, 0, 0)


@pytest.mark.slow
def test_sixteen_receivers_get_each_of_ten_thousand_messages_once(sqs, url):
    total, got, lock = 10_000, [], threading.Lock()
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda start: send_hundred(sqs, url, start), range(0, total, 100)))

        def drain(_):
            while messages := receive(sqs, url, MaxNumberOfMessages=10, VisibilityTimeout=3600):
                with lock:
                    got.extend(message["Body"] for message in messages)

        list(threads.map(drain, range(16)))

    assert len(got) == total
    assert {int(body) for body in got} == set(range(total))
    assert counts(sqs, url) == (0, total, 0)


def send_hundred(sqs, url, start):
    for first in range(start, start + 100, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(first, first + 10)]
        assert len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
