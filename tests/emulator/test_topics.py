"""What queues get of topics: wrapped, raw, filtered, and of FIFO topics."""

from __future__ import annotations

import hashlib
import json

import pytest

ARN = "arn:aws:sqs:eu-west-1:000000000000:"
FIFO = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}


@pytest.fixture
def sns(emulator):
    return emulator.client("sns")


@pytest.fixture
def subscribe(sqs, sns):
    """Make a queue that subscribes to a topic; its URL."""

    def subscribe(topic, queue, queue_attributes=None, **attributes):
        url = sqs.create_queue(QueueName=queue, Attributes=queue_attributes or {})["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=ARN + queue, Attributes=attributes)
        return url

    return subscribe


def receive(sqs, url):
    everything = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, **everything).get("Messages", [])


def test_a_queue_gets_a_notification_or_the_message_itself(sqs, sns, subscribe):
    topic = sns.create_topic(Name="t")["TopicArn"]
    wrapped = subscribe(topic, "wrapped", RawMessageDelivery="false")
    raw = subscribe(topic, "raw", RawMessageDelivery="true")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "y"},
        "count": {"DataType": "Number", "StringValue": "3"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x01"},
    }

    sent = sns.publish(TopicArn=topic, Message="hello", Subject="news", MessageAttributes=attributes)

    (message,) = receive(sqs, wrapped)
    notification = json.loads(message["Body"])
    assert notification.keys() == {
        *("Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "MessageAttributes"),
        *("SignatureVersion", "Signature", "SigningCertURL", "UnsubscribeURL"),
    }
    assert (notification["MessageId"], notification["Message"]) == (sent["MessageId"], "hello")
    (arn,) = (
        one["SubscriptionArn"]
        for one in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        if one["Endpoint"] == ARN + "wrapped"
    )
    host = "https://sns.eu-west-1.amazonaws.com"
    assert notification["UnsubscribeURL"] == f"{host}/?Action=Unsubscribe&SubscriptionArn={arn}"
    assert notification["MessageAttributes"]["bytes"] == {"Type": "Binary", "Value": "AQ=="}
    assert "MessageAttributes" not in message
    (message,) = receive(sqs, raw)
    assert (message["Body"], message["MessageAttributes"]) == ("hello", attributes)


def test_a_queue_gets_what_its_filter_lets_through(sqs, sns, subscribe):
    topic = sns.create_topic(Name="t")["TopicArn"]
    url = subscribe(
        topic, "filtered", FilterPolicy='{"kind": ["a", {"prefix": "b"}]}', RawMessageDelivery="true"
    )
    for kind in ("a", "bee", "c"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(TopicArn=topic, Message=kind, MessageAttributes=attributes)

    assert sorted(message["Body"] for message in receive(sqs, url)) == ["a", "bee"]


@pytest.mark.parametrize("is_raw", ["true", "false"])
def test_a_fifo_topic_drops_repeats_by_content(sqs, sns, subscribe, is_raw):
    topic = sns.create_topic(Name="t.fifo", Attributes=FIFO)["TopicArn"]
    url = subscribe(topic, "line.fifo", {"FifoQueue": "true"}, RawMessageDelivery=is_raw)
    for body in ("one", "one", "two"):
        sns.publish(TopicArn=topic, Message=body, MessageGroupId="g")

    first, second = receive(sqs, url)
    assert first["Attributes"]["MessageGroupId"] == "g"
    assert first["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"one").hexdigest()
    assert second["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"two").hexdigest()


def test_a_fifo_topics_notifications_are_numbered_and_not_signed(sqs, sns, subscribe):
    topic = sns.create_topic(Name="t.fifo", Attributes=FIFO)["TopicArn"]
    url = subscribe(topic, "line.fifo", {"FifoQueue": "true"})
    for body in ("one", "two"):
        sns.publish(TopicArn=topic, Message=body, MessageGroupId="g", MessageDeduplicationId=body)

    first, second = (json.loads(message["Body"]) for message in receive(sqs, url))
    assert first.keys() == {
        *("Type", "MessageId", "TopicArn", "Message", "Timestamp", "UnsubscribeURL", "SequenceNumber")
    }
    assert len(first["SequenceNumber"]) == 20
    assert first["SequenceNumber"] < second["SequenceNumber"]


def test_a_fifo_topic_may_have_a_standard_queue(sqs, sns, subscribe):
    topic = sns.create_topic(Name="t.fifo", Attributes=FIFO)["TopicArn"]
    url = subscribe(topic, "plain", RawMessageDelivery="true")

    sns.publish(TopicArn=topic, Message="one", MessageGroupId="g", MessageDeduplicationId="d")

    (message,) = receive(sqs, url)
    assert message["Body"] == "one"
    assert "MessageDeduplicationId" not in message["Attributes"]
