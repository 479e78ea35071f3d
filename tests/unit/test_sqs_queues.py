from __future__ import annotations

import json

import pytest

from cloudq.brokers.base import QueueStats
from cloudq.brokers.sqs.creation import max_receive_count
from cloudq.brokers.sqs.transport import RefusedError
from cloudq.errors import QueueNotFoundError
from cloudq.queues import Queue
from tests.scripted_sqs import ScriptedSqs, name_of


def created(aws):
    return {params["QueueName"]: params["Attributes"] for params in aws.asked("CreateQueue")}


def test_a_queue_is_made_with_its_dead_letter_queue_first():
    aws = ScriptedSqs()

    aws.broker(prefix="shop-", create_queues=True).declare(Queue("emails", lease=45.5, max_receives=7))

    assert list(created(aws)) == ["shop-emails-dead", "shop-emails"]
    assert created(aws)["shop-emails-dead"] == {"MessageRetentionPeriod": "1209600"}
    made = created(aws)["shop-emails"]
    assert made["VisibilityTimeout"] == "46"
    assert json.loads(made["RedrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:eu-west-1:1:shop-emails-dead",
        "maxReceiveCount": "107",
    }


def test_a_fifo_queue_and_its_dead_letter_queue_are_fifo():
    aws = ScriptedSqs()

    aws.broker(create_queues=True).declare(Queue("orders.fifo"))

    assert list(created(aws)) == ["orders-dead.fifo", "orders.fifo"]
    assert {one["FifoQueue"] for one in created(aws).values()} == {"true"}


def test_sqs_itself_gives_up_long_after_cloudq_would():
    assert max_receive_count(Queue("q", max_receives=10), 100) == 110
    assert max_receive_count(Queue("q", max_receives=990), 100) == 1000
    assert max_receive_count(Queue("q.fifo", max_receives=10), 100) == 1000


def test_a_dead_letter_queue_that_is_declared_gets_none_of_its_own():
    aws = ScriptedSqs()

    aws.broker(create_queues=True).declare(Queue("emails-dead"))

    assert list(created(aws)) == ["emails-dead"]
    assert created(aws)["emails-dead"]["MessageRetentionPeriod"] == "1209600"


def test_a_queue_with_other_attributes_is_left_as_it_is(caplog):
    caplog.set_level("INFO", "cloudq")
    aws = ScriptedSqs(CreateQueue=lambda _: RefusedError("differs", queue="q", code="QueueAlreadyExists"))

    aws.broker(create_queues=True).declare(Queue("q"))

    assert {record.action for record in caplog.records} == {"queue_differs"}
    assert not aws.asked("SetQueueAttributes")


def test_a_queue_that_a_template_made_is_mentioned_once_and_reassuringly(caplog):
    caplog.set_level("DEBUG", "cloudq")
    differs = RefusedError("QueueAlreadyExists: another value", queue="q", code="QueueAlreadyExists")
    aws = ScriptedSqs(CreateQueue=lambda params: None if params["QueueName"].endswith("-dead") else differs)
    broker = aws.broker(create_queues=True)

    for _ in range(3):
        broker.declare(Queue("q"))

    (record,) = caplog.records
    assert (record.levelname, record.action, record.queue) == ("INFO", "queue_differs", "q")
    assert "nothing needs to be done" in record.getMessage()
    assert "QueueAlreadyExists" not in record.getMessage()


def test_another_refusal_is_an_error():
    aws = ScriptedSqs(CreateQueue=lambda _: RefusedError("denied", queue="q", code="AccessDenied"))

    with pytest.raises(RefusedError, match="denied"):
        aws.broker(create_queues=True).declare(Queue("q"))


@pytest.mark.parametrize("create_queues", [False, None])
def test_on_aws_nothing_is_made_unless_asked_for(create_queues):
    aws = ScriptedSqs()

    aws.broker(create_queues=create_queues).declare(Queue("q"))

    assert aws.calls == []


def test_on_loopback_queues_are_made_unless_forbidden():
    aws = ScriptedSqs()
    aws.endpoint = "http://localhost:4566"

    aws.broker(create_queues=False).declare(Queue("q"))
    assert aws.calls == []
    aws.broker().declare(Queue("q"))
    assert list(created(aws)) == ["q-dead", "q"]


def counts(params):
    ready = {"q": 5, "q-dead": 2}[name_of(params)]
    return {
        "Attributes": {
            "ApproximateNumberOfMessages": str(ready),
            "ApproximateNumberOfMessagesNotVisible": "3",
            "ApproximateNumberOfMessagesDelayed": "1",
        }
    }


def test_stats_count_the_dead_letter_queue_too():
    aws = ScriptedSqs(GetQueueAttributes=counts)

    assert aws.broker().stats("q") == QueueStats(ready=5, leased=3, delayed=1, dead=6)


def test_a_queue_without_a_dead_letter_queue_has_no_dead_letters():
    aws = ScriptedSqs(GetQueueAttributes=counts)
    aws.missing.add("q-dead")

    assert aws.broker().stats("q").dead == 0


def test_a_queue_that_is_missing_has_no_stats():
    aws = ScriptedSqs()
    aws.missing.add("q")

    with pytest.raises(QueueNotFoundError):
        aws.broker().stats("q")


def test_queues_are_listed_page_by_page_without_their_prefix():
    pages = [
        {"QueueUrls": ["http://x/1/shop-a", "http://x/1/shop-a-dead"], "NextToken": "more"},
        {"QueueUrls": ["http://x/1/shop-b"]},
    ]
    aws = ScriptedSqs(ListQueues=pages)

    assert aws.broker(prefix="shop-").queues() == ["a", "a-dead", "b"]
    assert aws.asked("ListQueues")[1]["NextToken"] == "more"
    assert {params["QueueNamePrefix"] for params in aws.asked("ListQueues")} == {"shop-"}
