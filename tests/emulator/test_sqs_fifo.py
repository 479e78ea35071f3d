"""FIFO queues over real HTTP, as boto3 sees them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="in-order.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]


def send(sqs, url, body, group="g", dedup=None):
    return sqs.send_message(
        QueueUrl=url,
        MessageBody=body,
        MessageGroupId=group,
        MessageDeduplicationId=dedup or f"{group}-{body}",
    )


def receive(sqs, url, **how):
    how = {"MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"], **how}
    return sqs.receive_message(QueueUrl=url, **how).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def refused(do, **params):
    with pytest.raises(ClientError) as caught:
        do(**params)
    return caught.value.response["Error"]["Code"]


def test_a_group_comes_in_order_with_rising_sequence_numbers(sqs, url):
    sent = [send(sqs, url, str(number))["SequenceNumber"] for number in range(5)]

    got = receive(sqs, url)

    assert bodies(got) == ["0", "1", "2", "3", "4"]
    assert [message["Attributes"]["SequenceNumber"] for message in got] == sent == sorted(sent)
    assert {len(number) for number in sent} == {20}
    assert got[0]["Attributes"]["MessageGroupId"] == "g"
    assert got[0]["Attributes"]["MessageDeduplicationId"] == "g-0"


def test_a_group_with_a_message_out_waits_while_others_go_on(sqs, url):
    for body in ("a1", "a2", "b1"):
        send(sqs, url, body, group=body[0])

    (first,) = receive(sqs, url, MaxNumberOfMessages=1)
    assert first["Body"] == "a1"
    assert bodies(receive(sqs, url)) == ["b1"]
    assert receive(sqs, url) == []

    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(receive(sqs, url)) == ["a2"]


def test_a_long_poll_wakes_when_a_delete_lets_its_group_go_on(emulator, sqs, url):
    for body in "12":
        send(sqs, url, body)
    (first,) = receive(sqs, url, MaxNumberOfMessages=1)
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(receive, sqs, url, WaitTimeSeconds=20)
        emulator.wait_for_polls(1)

        sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])

        assert bodies(poll.result(timeout=10)) == ["2"]


def test_a_message_given_back_comes_before_its_followers(sqs, url):
    for body in "123":
        send(sqs, url, body)
    first = receive(sqs, url, MaxNumberOfMessages=2)
    for message in reversed(first):
        sqs.change_message_visibility(
            QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )

    assert bodies(receive(sqs, url)) == ["1", "2", "3"]


def test_a_repeat_within_five_minutes_is_accepted_and_not_delivered(emulator, sqs, url):
    emulator.clock(freeze=True)
    first = send(sqs, url, "x", dedup="d")
    (message,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    assert send(sqs, url, "y", dedup="d")["MessageId"] == first["MessageId"]
    assert receive(sqs, url) == []
    emulator.clock(advance=300)
    send(sqs, url, "z", dedup="d")

    assert bodies(receive(sqs, url)) == ["z"]


def test_content_and_scope_of_deduplication_are_the_queues_to_say(sqs):
    attributes = {
        "FifoQueue": "true",
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup",
    }
    url = sqs.create_queue(QueueName="scoped.fifo", Attributes=attributes)["QueueUrl"]

    for group in "aab":
        sqs.send_message(QueueUrl=url, MessageBody="same", MessageGroupId=group)

    assert [message["Attributes"]["MessageGroupId"] for message in receive(sqs, url)] == ["a", "b"]


def test_what_a_fifo_queue_would_not_take_is_refused(sqs, url):
    assert (
        refused(sqs.send_message, QueueUrl=url, MessageBody="x", MessageDeduplicationId="d")
        == "MissingParameter"
    )
    assert (
        refused(sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g")
        == "InvalidParameterValue"
    )
    assert (
        refused(
            sqs.send_message,
            QueueUrl=url,
            MessageBody="x",
            MessageGroupId="g",
            MessageDeduplicationId="d",
            DelaySeconds=1,
        )
        == "InvalidParameterValue"
    )
    assert (
        refused(sqs.create_queue, QueueName="no-suffix", Attributes={"FifoQueue": "true"})
        == "InvalidParameterValue"
    )


@pytest.mark.parametrize(
    ("lacks", "text"),
    [
        ("MessageGroupId", "The request must contain the parameter MessageGroupId."),
        ("MessageDeduplicationId", "The queue should either have ContentBasedDeduplication enabled"),
    ],
)
def test_a_batch_with_an_entry_that_lacks_an_id_is_refused_as_a_whole(sqs, url, lacks, text):
    entries = [
        {"Id": id_, "MessageBody": id_, "MessageGroupId": "g", "MessageDeduplicationId": id_} for id_ in "12"
    ]
    del entries[1][lacks]

    with pytest.raises(ClientError, match=f"InvalidParameterValue.*{text}"):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert receive(sqs, url) == []


@pytest.mark.parametrize("name", ["MessageGroupId", "MessageDeduplicationId"])
@pytest.mark.parametrize("value", ["", "x" * 129, "with space"])
def test_ids_that_aws_refuses_are_refused(sqs, url, name, value):
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "d", name: value}

    with pytest.raises(ClientError, match=f"{name} can only include alphanumeric and punctuation"):
        sqs.send_message(QueueUrl=url, MessageBody="x", **ids)


def test_a_change_of_deduplications_scope_takes_a_minute(emulator, sqs, url):
    emulator.clock(freeze=True)
    send(sqs, url, "1", group="a", dedup="d")
    scope = {"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}

    sqs.set_queue_attributes(QueueUrl=url, Attributes=scope)

    send(sqs, url, "2", group="b", dedup="d")
    emulator.clock(advance=60)
    send(sqs, url, "3", group="c", dedup="d")
    assert bodies(receive(sqs, url)) == ["1", "3"]


def test_a_purge_forgets_what_was_sent(sqs, url):
    send(sqs, url, "1", dedup="d")
    sqs.purge_queue(QueueUrl=url)
    send(sqs, url, "2", dedup="d")

    assert bodies(receive(sqs, url)) == ["2"]


def test_a_change_of_the_delay_holds_for_what_is_there(emulator, sqs):
    emulator.clock(freeze=True)
    attributes = {"FifoQueue": "true", "DelaySeconds": "600"}
    url = sqs.create_queue(QueueName="slow.fifo", Attributes=attributes)["QueueUrl"]
    sqs.send_message(
        QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d", DelaySeconds=0
    )
    assert receive(sqs, url) == []
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "60"})
    assert receive(sqs, url) == []

    emulator.clock(advance=60)

    assert bodies(receive(sqs, url)) == ["x"]


def test_dead_letters_are_told_apart_by_their_ids(emulator, sqs):
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    policy = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead.fifo", "maxReceiveCount": 1}
    attributes = {"FifoQueue": "true", "RedrivePolicy": json.dumps(policy)}
    url = sqs.create_queue(QueueName="source.fifo", Attributes=attributes)["QueueUrl"]
    emulator.clock(freeze=True)
    sent = send(sqs, url, "1", dedup="d")["MessageId"]
    receive(sqs, url, VisibilityTimeout=60)
    emulator.clock(advance=60)
    assert receive(sqs, url) == []

    (message,) = receive(sqs, dead)

    assert message["MessageId"] == message["Attributes"]["MessageDeduplicationId"] == sent
    received_at = int(message["Attributes"]["ApproximateFirstReceiveTimestamp"])
    assert int(message["Attributes"]["SentTimestamp"]) == received_at + 60_000, "it is as if sent anew"


def test_a_receipt_dies_with_its_lease(emulator, sqs, url):
    emulator.clock(freeze=True)
    send(sqs, url, "x")
    (message,) = receive(sqs, url, VisibilityTimeout=5)
    emulator.clock(advance=5)

    code = refused(sqs.delete_message, QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    assert code == "InvalidParameterValue"
    assert bodies(receive(sqs, url)) == ["x"]


def test_a_dead_head_lets_its_group_go_on(emulator, sqs):
    sqs.create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})
    policy = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead.fifo", "maxReceiveCount": 1}
    attributes = {"FifoQueue": "true", "RedrivePolicy": json.dumps(policy)}
    url = sqs.create_queue(QueueName="source.fifo", Attributes=attributes)["QueueUrl"]
    emulator.clock(freeze=True)
    for body in "12":
        send(sqs, url, body)
    receive(sqs, url, MaxNumberOfMessages=1, VisibilityTimeout=5)
    emulator.clock(advance=5)

    assert bodies(receive(sqs, url, MaxNumberOfMessages=1)) == ["2"]
    dead = sqs.get_queue_url(QueueName="dead.fifo")["QueueUrl"]
    (message,) = receive(sqs, dead)
    assert message["Body"] == "1"
    assert message["Attributes"]["DeadLetterQueueSourceArn"].endswith(":source.fifo")


def test_a_message_given_back_is_received_again_while_its_followers_are_out(sqs, url):
    for body in "123":
        send(sqs, url, body)
    first, _ = receive(sqs, url, MaxNumberOfMessages=2)
    send(sqs, url, "other", group="h")

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)

    assert bodies(receive(sqs, url)) == ["other", "1"]


@pytest.mark.parametrize(("extended", "expected"), [(0, []), (1, ["1"]), (2, ["1", "2"])])
def test_messages_wait_for_those_before_them_that_are_still_out(emulator, sqs, url, extended, expected):
    emulator.clock(freeze=True)
    for body in "123":
        send(sqs, url, body)
    messages = receive(sqs, url, VisibilityTimeout=1)
    handle = messages[extended]["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=4)

    emulator.clock(advance=2)

    assert bodies(receive(sqs, url)) == expected
