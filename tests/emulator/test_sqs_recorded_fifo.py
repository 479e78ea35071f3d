"""In which order FIFO queues hand out, as AWS was seen to.

Source: LocalStack's tests/aws/services/sqs/test_sqs.py, tests that AWS passes, read 2026-11. Where those
allow for several orders, it is the one that they note as AWS's.
"""

from __future__ import annotations

import pytest

FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="line.fifo", Attributes=FIFO)["QueueUrl"]


def send(sqs, url, *bodies):
    """Send bodies such as "a1", each in the group of its first letter."""
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[0])


def receive(sqs, url, limit=10, **how):
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=limit, **how).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def test_a_receive_empties_a_group_before_it_goes_to_the_next(sqs, url):
    send(sqs, url, "a1", "b1", "a2", "a3")

    assert bodies(receive(sqs, url)) == ["a1", "a2", "a3", "b1"]


def test_groups_whose_leases_ended_come_after_those_that_waited(emulator, sqs, url):
    emulator.clock(freeze=True)
    send(sqs, url, "a1", "a2", "a3", "a4", "b1", "c1")
    assert bodies(receive(sqs, url, 2)) == ["a1", "a2"]
    assert bodies(receive(sqs, url, 1)) == ["b1"]
    emulator.clock(advance=31)

    assert bodies(receive(sqs, url)) == ["c1", "a1", "a2", "a3", "a4", "b1"]


def test_messages_leased_for_no_time_go_to_the_end(sqs, url):
    send(sqs, url, "a1", "b1", "b2", "c1", "a2")

    assert bodies(receive(sqs, url, 3, VisibilityTimeout=0)) == ["a1", "a2", "b1"]
    assert bodies(receive(sqs, url, VisibilityTimeout=0)) == ["c1", "a1", "a2", "b1", "b2"]


def test_a_message_given_back_comes_alone_and_after_the_groups_that_waited(sqs, url):
    send(sqs, url, "a1", "a2", "b1")
    first, _ = receive(sqs, url, 2)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)

    assert bodies(receive(sqs, url, 3)) == ["b1", "a1"]


def test_a_lease_cut_short_lets_its_message_come_alone(emulator, sqs, url):
    emulator.clock(freeze=True)
    send(sqs, url, "a1", "a2", "b1")
    first, _ = receive(sqs, url, 2)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=1)
    emulator.clock(advance=2)

    assert bodies(receive(sqs, url, 3)) == ["b1", "a1"]


def test_a_group_whose_messages_were_deleted_takes_the_place_of_its_next(sqs, url):
    send(sqs, url, "a1", "b1", "a2", "b2", "a2", "a3", "a4", "c1")
    for message in receive(sqs, url, 2):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    assert bodies(receive(sqs, url)) == ["b1", "b2", "a3", "a4", "c1"]


def test_a_group_waits_while_one_of_its_messages_is_left_to_delete(sqs, url):
    send(sqs, url, "a1", "b1", "a2", "b2", "a3", "a4", "c1")
    first, _ = receive(sqs, url, 2)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])

    assert bodies(receive(sqs, url)) == ["b1", "b2", "c1"]


def test_a_delay_of_the_queue_keeps_the_order(emulator, sqs):
    emulator.clock(freeze=True)
    url = sqs.create_queue(QueueName="late.fifo", Attributes={**FIFO, "DelaySeconds": "2"})["QueueUrl"]
    send(sqs, url, "a1", "a2", "a3")
    assert receive(sqs, url) == []
    emulator.clock(advance=3)

    assert bodies(receive(sqs, url)) == ["a1", "a2", "a3"]


def test_no_delay_at_all_may_be_asked_of_a_fifo_queue(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", DelaySeconds=0)

    assert bodies(receive(sqs, url)) == ["x"]


def test_counts_follow_receives_and_deletes(sqs, url):
    def ready():
        names = ["ApproximateNumberOfMessages"]
        shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(shown["ApproximateNumberOfMessages"])

    send(sqs, url, "a1", "a2", "a3", "b1", "c1")
    assert ready() == 5
    received = receive(sqs, url, 4)
    assert ready() == 1
    for message in received:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert ready() == 1


@pytest.mark.parametrize("has_ids", [False, True], ids=["by content", "by id"])
@pytest.mark.parametrize("group", ["g", "h"])
def test_a_repeat_is_dropped_after_the_delete_and_in_other_groups(sqs, has_ids, group):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": str(not has_ids).lower()}
    url = sqs.create_queue(QueueName="once.fifo", Attributes=attributes)["QueueUrl"]
    ids = {"MessageDeduplicationId": "one"} if has_ids else {}
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", **ids)
    (message,) = receive(sqs, url)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId=group, **ids)

    assert receive(sqs, url) == []


def test_a_purge_forgets_the_ids(sqs, url):
    ids = {"MessageGroupId": "g", "MessageDeduplicationId": "one"}
    sqs.send_message(QueueUrl=url, MessageBody="before", **ids)
    sqs.purge_queue(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody="after", **ids)

    assert bodies(receive(sqs, url)) == ["after"]


def test_system_attributes_are_those_of_a_fifo_queue(sqs):
    attributes = {
        **FIFO,
        "VisibilityTimeout": "0",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    }
    url = sqs.create_queue(QueueName="all.fifo", Attributes=attributes)["QueueUrl"]
    ids = {"MessageGroupId": "group-1", "MessageDeduplicationId": "dedup-1"}
    sent = sqs.send_message(QueueUrl=url, MessageBody="message-body-1", **ids)

    for count in ("1", "2"):
        (message,) = receive(sqs, url, AttributeNames=["All"])
        shown = message["Attributes"]
        assert shown.pop("SenderId")
        assert int(shown.pop("SentTimestamp")) <= int(shown.pop("ApproximateFirstReceiveTimestamp"))
        assert shown == {
            "ApproximateReceiveCount": count,
            "SequenceNumber": sent["SequenceNumber"],
            **ids,
        }


def test_a_dead_letter_keeps_its_id_and_its_body(sqs):
    dead = sqs.create_queue(QueueName="dead.fifo", Attributes={**FIFO, "MessageRetentionPeriod": "1209600"})[
        "QueueUrl"
    ]
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead.fifo", "maxReceiveCount": 2}'
    url = sqs.create_queue(QueueName="work.fifo", Attributes={**FIFO, "RedrivePolicy": policy})["QueueUrl"]
    sent = sqs.send_message(QueueUrl=url, MessageBody="foobar", MessageGroupId="1")
    for _ in range(3):
        receive(sqs, url, VisibilityTimeout=0)

    (message,) = receive(sqs, dead)

    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "foobar")
