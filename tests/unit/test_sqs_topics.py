"""SNS's topics where nothing is made here, and what is asked of SNS and SQS where it is."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from cloudq.brokers.sqs.boto_errors import translated
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import RefusedError
from cloudq.delivery import NotSent, Outgoing, Sent
from cloudq.errors import MessageTooLargeError, QueueNotFoundError
from cloudq.queues import Queue
from tests.scripted_sqs import ScriptedSqs, failing

TOPIC = "orders.created"
ARN = "arn:aws:sns:eu-west-1:123456789012:shop-orders--created"


class ScriptedSns(ScriptedSqs):
    """SNS's answers: as `ScriptedSqs`."""

    def entries(self, operation):
        return [params["PublishBatchRequestEntries"] for params in self.asked(operation)]

    def _success(self, operation, params):
        match operation:
            case "CreateTopic":
                return {"TopicArn": f"arn:aws:sns:eu-west-1:123456789012:{params['Name']}"}
            case "GetCallerIdentity":
                return {"Arn": "arn:aws:sts::123456789012:assumed-role/shop/x"}
            case _:
                entries = params.get("PublishBatchRequestEntries", ())
                return {"Successful": [{"Id": entry["Id"]} for entry in entries]}


@pytest.fixture
def sns():
    return ScriptedSns()


@pytest.fixture
def sqs():
    return ScriptedSqs()


def broker(sqs, sns, *, creates):
    return sqs.broker(sns=sns, sts=sns, prefix="shop-", create_queues=creates)


def test_a_topic_that_a_template_made_is_published_to_without_asking_for_it(sqs, sns):
    answers = broker(sqs, sns, creates=False).publish(TOPIC, [Outgoing("m", b"{}", attributes={"a": "b"})])

    assert answers == [Sent()]
    assert [name for name, _ in sns.calls] == ["GetCallerIdentity", "PublishBatch"]
    (asked,) = sns.asked("PublishBatch")
    assert asked["TopicArn"] == ARN
    attributes = {"a": {"DataType": "String", "StringValue": "b"}}
    assert asked["PublishBatchRequestEntries"] == [
        {"Id": "0", "Message": "{}", "MessageAttributes": attributes}
    ]


def test_the_account_is_asked_for_once(sqs, sns):
    publisher = broker(sqs, sns, creates=False)

    publisher.publish(TOPIC, [Outgoing("m", b"{}")])
    publisher.publish(TOPIC, [Outgoing("n", b"{}")])

    assert len(sns.asked("GetCallerIdentity")) == 1


def test_where_a_template_makes_queues_nobody_subscribes_or_changes_a_policy(sqs, sns):
    broker(sqs, sns, creates=False).declare(Queue("mail", topics=(TOPIC,)))

    assert sns.calls == sqs.calls == []


def test_a_queue_lets_its_topics_and_no_other_send_to_it(sqs, sns):
    broker(sqs, sns, creates=True).declare(Queue("mail", topics=(TOPIC, "orders.paid")))

    (change,) = sqs.asked("SetQueueAttributes")
    statements = json.loads(change["Attributes"]["Policy"])["Statement"]
    assert [one["Condition"]["ArnEquals"]["aws:SourceArn"] for one in statements] == [
        ARN,
        "arn:aws:sns:eu-west-1:123456789012:shop-orders--paid",
    ]
    assert {one["Resource"] for one in statements} == {"arn:aws:sqs:eu-west-1:1:shop-mail"}
    assert len({one["Sid"] for one in statements}) == 2
    assert [(one["TopicArn"], one["Attributes"]) for one in sns.asked("Subscribe")] == [
        (ARN, {"RawMessageDelivery": "true"}),
        ("arn:aws:sns:eu-west-1:123456789012:shop-orders--paid", {"RawMessageDelivery": "true"}),
    ]


def test_a_policy_that_was_there_is_kept_and_what_it_says_is_not_said_twice(sns):
    own = {"Sid": "Own", "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own]})

    def attributes(_):
        return {"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:1:shop-mail", "Policy": policy}}

    sqs = ScriptedSqs(GetQueueAttributes=attributes)
    declarer = broker(sqs, sns, creates=True)
    declarer.declare(Queue("mail", topics=(TOPIC,)))
    policy = sqs.asked("SetQueueAttributes")[0]["Attributes"]["Policy"]
    declarer.declare(Queue("mail", topics=(TOPIC,)))

    assert json.loads(policy)["Statement"][0]["Sid"] == "Own"
    assert len(sqs.asked("SetQueueAttributes")) == 1


def test_batches_keep_to_snss_size_and_to_one_message_of_a_group(sqs, sns):
    publisher = broker(sqs, sns, creates=False)

    publisher.publish(TOPIC, [Outgoing(str(number), b"x" * 100_000) for number in range(5)])
    publisher.publish(f"{TOPIC}.fifo", [Outgoing(str(number), b"{}", group="g") for number in range(2)])

    assert [len(entries) for entries in sns.entries("PublishBatch")] == [2, 2, 1, 1, 1]


def test_a_delay_and_a_trace_header_which_sns_does_not_know_are_left_out(sqs, sns):
    message = Outgoing("m", b"{}", delay=60.0, attributes={"AWSTraceHeader": "Root=1"})

    broker(sqs, sns, creates=False).publish(TOPIC, [message])

    assert sns.entries("PublishBatch") == [[{"Id": "0", "Message": "{}"}]]


def test_what_sns_refuses_is_answered_for_each_message(sqs):
    sns = ScriptedSns()
    sns._answers["PublishBatch"] = lambda params: failing(["1"], code="InvalidParameter", is_ours=True)(
        {"Entries": params["PublishBatchRequestEntries"]}
    )
    messages = [Outgoing("a", b"1"), Outgoing("b", b"2"), Outgoing("c", b"\x00")]

    first, second, third = broker(sqs, sns, creates=False).publish(TOPIC, messages)

    assert first == Sent()
    assert second == NotSent("InvalidParameter: 1 failed.", retryable=False)
    assert isinstance(third, NotSent)


def test_a_message_over_snss_limit_is_refused_before_any_is_published(sqs, sns):
    with pytest.raises(MessageTooLargeError, match=r"topic 'orders\.created' has 262,145 bytes.*262,144"):
        broker(sqs, sns, creates=False).publish(TOPIC, [Outgoing("m", b"{}"), Outgoing("n", b"x" * 262_145)])

    assert sns.calls == []


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("NotFound", QueueNotFoundError, "no topic 'shop-orders--created' in eu-west-1.*template"),
        ("AuthorizationError", RefusedError, "denied sns:Publish on topic 'shop-orders--created'"),
        ("InvalidParameter", RefusedError, "SNS refused: InvalidParameter"),
    ],
)
def test_what_sns_says_is_told_of_the_topic(code, error, words):
    refusal = ClientError({"Error": {"Code": code, "Message": "No."}}, "PublishBatch")

    with (
        pytest.raises(error, match=words) as raised,
        translated("PublishBatch", "shop-orders--created", Names("shop-"), lambda: "eu-west-1", "sns"),
    ):
        raise refusal

    assert raised.value.queue is None
