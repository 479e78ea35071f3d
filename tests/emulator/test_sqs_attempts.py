"""Receives that are repeated by their attempt id, and the limit on what is in flight."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def url(emulator, sqs):
    emulator.clock(freeze=True)
    url = sqs.create_queue(QueueName="in-order.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for body in "123":
        sqs.send_message(
            QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=f"d{body}"
        )
    return url


def receive(sqs, url, attempt="try", **how):
    how = {"MaxNumberOfMessages": 2, "MessageSystemAttributeNames": ["All"], **how}
    return sqs.receive_message(QueueUrl=url, ReceiveRequestAttemptId=attempt, **how).get("Messages", [])


def refused(do, **params):
    with pytest.raises(ClientError) as caught:
        do(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_repeated_receive_brings_the_same_messages_by_the_same_receipts(emulator, sqs, url):
    first = receive(sqs, url)
    emulator.clock(advance=20)

    assert receive(sqs, url) == first
    assert receive(sqs, url, attempt="another") == []
    emulator.clock(advance=20)
    assert receive(sqs, url, attempt="another") == [], "the repeat let the leases begin anew"
    emulator.clock(advance=10)
    assert len(receive(sqs, url, attempt="another")) == 2


@pytest.mark.parametrize("what", ["delete", "extend", "expire"])
def test_once_its_messages_are_touched_a_receive_cannot_be_repeated(emulator, sqs, url, what):
    handle = receive(sqs, url)[0]["ReceiptHandle"]
    if what == "delete":
        sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    elif what == "extend":
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=60)
    else:
        emulator.clock(advance=30)

    code, text = refused(sqs.receive_message, QueueUrl=url, ReceiveRequestAttemptId="try")

    assert code == "InvalidParameterValue"
    assert text.endswith("is not valid anymore since the receive call is not retryable.")


def test_after_five_minutes_an_attempts_id_is_free_again(emulator, sqs, url):
    receive(sqs, url, VisibilityTimeout=600)
    emulator.clock(advance=299)
    assert len(receive(sqs, url, VisibilityTimeout=600)) == 2
    emulator.clock(advance=1)

    assert receive(sqs, url) == []


@pytest.mark.parametrize("attempt", ["with space", "x" * 129, ""])
def test_attempt_ids_that_aws_refuses_are_refused(sqs, url, attempt):
    assert refused(sqs.receive_message, QueueUrl=url, ReceiveRequestAttemptId=attempt)[0] == (
        "InvalidParameterValue"
    )


def test_a_standard_queue_takes_no_notice_of_attempts(sqs):
    plain = sqs.create_queue(QueueName="plain")["QueueUrl"]
    sqs.send_message(QueueUrl=plain, MessageBody="x")

    assert len(receive(sqs, plain, "try")) == 1
    assert receive(sqs, plain, "try") == []


def test_with_too_many_in_flight_a_standard_queue_refuses(emulator, sqs):
    plain = sqs.create_queue(QueueName="plain")["QueueUrl"]
    limit_to_three(emulator)
    for body in "12345":
        sqs.send_message(QueueUrl=plain, MessageBody=body)

    first = sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=10)["Messages"]

    assert len(first) == 3
    assert refused(sqs.receive_message, QueueUrl=plain)[0] == "OverLimit"
    sqs.delete_message(QueueUrl=plain, ReceiptHandle=first[0]["ReceiptHandle"])
    assert len(sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=10)["Messages"]) == 1


def test_with_too_many_in_flight_a_fifo_queue_keeps_silent(emulator, sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="4", MessageGroupId="h", MessageDeduplicationId="d4")
    limit_to_three(emulator)
    assert len(receive(sqs, url, "a", MaxNumberOfMessages=10)) == 3

    assert receive(sqs, url, "b", MaxNumberOfMessages=10) == []


def limit_to_three(emulator):
    for queue in emulator.server.sqs.registry:
        queue.in_flight_limit = 3
