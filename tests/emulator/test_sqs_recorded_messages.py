"""What AWS was recorded to answer about messages: their attributes, digests, leases and sizes.

Source: LocalStack's tests/aws/services/sqs/test_sqs.snapshot.json, recorded 2022 to 2023, and test_sqs.py
beside it, which AWS passes; read 2026-11.
"""

from __future__ import annotations

import pytest

THREE = {"Help.Me": "Me", "Hello": "There", "General": "Kenobi"}
DIGEST_OF_THREE = "4c360f3fdafd970e05fae2f149d997f5"
DIGEST_OF_MSG = "6e2baaf3b97dbeef01c0043275f9a0e7"
TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"


def text(value):
    return {"DataType": "String", "StringValue": value}


@pytest.fixture
def url(sqs):
    return sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]


def receive(sqs, url, **how):
    return sqs.receive_message(QueueUrl=url, **how)["Messages"][0]


@pytest.mark.parametrize(
    ("asked", "names", "digest"),
    [
        ([], [], None),
        (["All"], [*THREE], DIGEST_OF_THREE),
        ([".*"], [*THREE], DIGEST_OF_THREE),
        (["All", ".*", "Hello"], [*THREE], DIGEST_OF_THREE),
        (["Foo", "Help"], [], None),
        (["Hello", "General"], ["Hello", "General"], "fca026605781cb4126a1e9044df24232"),
        (["Foo", "Hello"], ["Hello"], "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], ["Hello", "Help.Me"], "83fee93c1bcd8b9a5a923ffacdc636c7"),
        (["AWS."], [], None),
        (["..foo"], [], None),
    ],
)
def test_the_digest_is_of_the_attributes_that_were_asked_for(sqs, url, asked, names, digest):
    attributes = {name: text(value) for name, value in THREE.items()}
    sent = sqs.send_message(QueueUrl=url, MessageBody="msg", MessageAttributes=attributes)

    message = receive(sqs, url, MessageAttributeNames=asked)

    assert (sent["MD5OfMessageAttributes"], sent["MD5OfMessageBody"]) == (DIGEST_OF_THREE, DIGEST_OF_MSG)
    assert message.get("MessageAttributes", {}) == {name: attributes[name] for name in names}
    assert message.get("MD5OfMessageAttributes") == digest
    assert message["MD5OfBody"] == DIGEST_OF_MSG


def test_system_attributes_and_message_attributes_are_asked_for_apart(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="msg", MessageAttributes={"Foo": text("Bar")})

    everything = receive(sqs, url, AttributeNames=["All"])
    both = receive(sqs, url, AttributeNames=["All"], MessageAttributeNames=["All"])
    one = receive(sqs, url, AttributeNames=["SenderId"])
    two = receive(sqs, url, AttributeNames=["SenderId", "SequenceNumber"])

    assert "MessageAttributes" not in everything
    assert everything["Attributes"].keys() == {
        *("SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp")
    }
    assert both["MD5OfMessageAttributes"] == "ae7155c6026991b6d54b11589678bf9c"
    assert both["Attributes"]["ApproximateReceiveCount"] == "2"
    assert one["Attributes"].keys() == two["Attributes"].keys() == {"SenderId"}


def test_a_binary_value_comes_back_as_bytes(sqs, url):
    value = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
    attributes = {"attr1": {"DataType": "Binary", "BinaryValue": value}}
    sqs.send_message(QueueUrl=url, MessageBody="test", MessageAttributes=attributes)

    message = receive(sqs, url, MessageAttributeNames=["All"])

    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == "8cbe4db156db8a94db8b801b7addb984"


def test_a_traces_header_has_a_digest_of_its_own(sqs, url):
    sent = sqs.send_message(
        QueueUrl=url, MessageBody="x", MessageSystemAttributes={"AWSTraceHeader": text(TRACE)}
    )

    message = receive(sqs, url, AttributeNames=["All"], MessageAttributeNames=["All"])

    assert sent["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"
    assert "MD5OfMessageAttributes" not in sent
    assert message["Attributes"]["AWSTraceHeader"] == TRACE
    assert "MessageAttributes" not in message


@pytest.mark.parametrize(
    "body",
    [
        '{"foo": "ba\rr", "foo2": "ba&quot;r&quot;"}',
        "&lt;a&gt;&amp;",
        "\t\r\n",
        '<?xml version="1.0"?><a/>',
        "&#13;",
    ],
)
def test_a_body_arrives_as_it_is(sqs, url, body):
    sqs.send_message(QueueUrl=url, MessageBody=body)

    assert receive(sqs, url)["Body"] == body


def test_an_older_handle_of_a_standard_queue_still_changes_the_lease(sqs, url):
    sqs.send_message(QueueUrl=url, MessageBody="x")
    older = receive(sqs, url)["ReceiptHandle"]
    newer = receive(sqs, url)["ReceiptHandle"]
    assert older != newer

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=older, VisibilityTimeout=30)

    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_lease_that_ended_still_deletes_on_a_standard_queue(emulator, sqs):
    emulator.clock(freeze=True)
    url = sqs.create_queue(QueueName="slow", Attributes={"VisibilityTimeout": "1"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    handle = receive(sqs, url)["ReceiptHandle"]
    emulator.clock(advance=2)

    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)

    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_a_lease_ends_when_it_is_set_to_nothing(sqs):
    url = sqs.create_queue(QueueName="slow")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    first = receive(sqs, url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)

    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)

    assert receive(sqs, url)["MessageId"] == first["MessageId"]


def test_a_batch_may_be_larger_than_one_of_its_queues_messages(sqs):
    attributes = {"MaximumMessageSize": "1024"}
    url = sqs.create_queue(QueueName="small", Attributes=attributes)["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": "a" * 1000} for number in range(10)]

    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)

    assert len(answer["Successful"]) == 10
    assert "Failed" not in answer


def test_attributes_count_for_the_size_of_a_message(sqs):
    url = sqs.create_queue(QueueName="small", Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    attributes = {"k": text("x")}  # of 1 + 6 + 1 bytes

    sqs.send_message(QueueUrl=url, MessageBody="a" * 1016, MessageAttributes=attributes)
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        sqs.send_message(QueueUrl=url, MessageBody="a" * 1017, MessageAttributes=attributes)

    assert caught.value.response["Error"]["Message"] == (
        "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes."
    )


def test_a_batch_that_half_fails_says_which(sqs, url):
    answer = sqs.delete_message_batch(
        QueueUrl=url,
        Entries=[{"Id": "bad", "ReceiptHandle": "garbage"}, {"Id": "worse", "ReceiptHandle": "rubbish"}],
    )

    assert answer["Failed"] == [
        {
            "Id": name,
            "SenderFault": True,
            "Code": "ReceiptHandleIsInvalid",
            "Message": f'The input receipt handle "{handle}" is not a valid receipt handle.',
        }
        for name, handle in (("bad", "garbage"), ("worse", "rubbish"))
    ]
