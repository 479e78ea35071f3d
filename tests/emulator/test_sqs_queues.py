"""Queues over real HTTP, as boto3 sees them: names, attributes, tags, lists."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:sqs:eu-west-1:000000000000:"


def refused(do, **params):
    with pytest.raises(ClientError) as caught:
        do(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def attributes(sqs, url, *names):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names) or ["All"]).get("Attributes")


def test_a_queue_has_the_defaults_of_aws(sqs):
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]

    got = attributes(sqs, url)

    assert got.pop("CreatedTimestamp") == got.pop("LastModifiedTimestamp")
    assert got == {
        "QueueArn": ARN + "plain",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "VisibilityTimeout": "30",
        "DelaySeconds": "0",
        "MessageRetentionPeriod": "345600",
        "MaximumMessageSize": "1048576",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    }
    assert attributes(sqs, url, "VisibilityTimeout") == {"VisibilityTimeout": "30"}
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=url)


def test_a_queues_url_is_on_the_host_that_the_caller_used(emulator, sqs):
    url = sqs.create_queue(QueueName="here")["QueueUrl"]

    assert url == f"{emulator.endpoint}/000000000000/here"
    assert sqs.get_queue_url(QueueName="here")["QueueUrl"] == url


def test_creating_the_same_queue_again_finds_it(sqs):
    first = sqs.create_queue(QueueName="again", Attributes={"DelaySeconds": "5"})

    assert sqs.create_queue(QueueName="again")["QueueUrl"] == first["QueueUrl"]
    assert (
        sqs.create_queue(QueueName="again", Attributes={"DelaySeconds": "5"})["QueueUrl"] == first["QueueUrl"]
    )
    code, text = refused(sqs.create_queue, QueueName="again", Attributes={"DelaySeconds": "6"})
    assert code == "QueueAlreadyExists"
    assert "DelaySeconds" in text


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("VisibilityTimeout", "43201", "InvalidAttributeValue"),
        ("VisibilityTimeout", "-1", "InvalidAttributeValue"),
        ("DelaySeconds", "x", "InvalidAttributeValue"),
        ("MessageRetentionPeriod", "59", "InvalidAttributeValue"),
        ("MaximumMessageSize", "1048577", "InvalidAttributeValue"),
        ("Policy", "nonsense", "InvalidAttributeValue"),
        ("NoSuchThing", "1", "InvalidAttributeName"),
        ("ContentBasedDeduplication", "true", "InvalidAttributeName"),
        ("RedrivePolicy", "nonsense", "InvalidAttributeValue"),
        ("RedrivePolicy", '{"maxReceiveCount": 1}', "InvalidParameterValue"),
        ("RedrivePolicy", "{}", "InvalidParameterValue"),
        (
            "RedrivePolicy",
            json.dumps({"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}),
            "InvalidParameterValue",
        ),
        (
            "RedrivePolicy",
            json.dumps({"deadLetterTargetArn": ARN + "none", "maxReceiveCount": 1001}),
            "InvalidParameterValue",
        ),
        (
            "RedrivePolicy",
            json.dumps({"deadLetterTargetArn": ARN + "none", "maxReceiveCount": 1}),
            "InvalidParameterValue",
        ),
        ("RedriveAllowPolicy", '{"redrivePermission": "maybe"}', "InvalidAttributeValue"),
        ("RedriveAllowPolicy", '{"redrivePermission": "byQueue"}', "InvalidParameterValue"),
        (
            "RedriveAllowPolicy",
            json.dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [f"{ARN}q{n}" for n in range(11)]}
            ),
            "InvalidParameterValue",
        ),
        ("FifoQueue", "false", "InvalidAttributeName"),
    ],
)
def test_attributes_that_aws_refuses_are_refused(sqs, name, value, code):
    assert refused(sqs.create_queue, QueueName="wrong", Attributes={name: value})[0] == code

    url = sqs.create_queue(QueueName="right")["QueueUrl"]
    assert refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={name: value})[0] == code


@pytest.mark.parametrize("name", ["with space", "dot.ted", "x" * 81, "not-fifo.fifo"])
def test_names_that_aws_refuses_are_refused(sqs, name):
    assert refused(sqs.create_queue, QueueName=name)[0] == "InvalidParameterValue"


def test_attributes_can_be_changed_and_taken_back(sqs):
    sqs.create_queue(QueueName="dead")
    url = sqs.create_queue(QueueName="changing")["QueueUrl"]
    policy = {"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 3}

    sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"VisibilityTimeout": "7", "RedrivePolicy": json.dumps(policy)}
    )
    assert attributes(sqs, url, "VisibilityTimeout") == {"VisibilityTimeout": "7"}
    assert json.loads(attributes(sqs, url, "RedrivePolicy")["RedrivePolicy"]) == policy

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    assert attributes(sqs, url, "RedrivePolicy") is None


def test_a_key_of_ones_own_replaces_the_queues_encryption(sqs):
    url = sqs.create_queue(QueueName="sealed", Attributes={"KmsMasterKeyId": "alias/mine"})["QueueUrl"]

    got = attributes(sqs, url)

    assert (got["KmsMasterKeyId"], got["SqsManagedSseEnabled"]) == ("alias/mine", "false")
    assert got["KmsDataKeyReusePeriodSeconds"] == "300"


def test_only_one_encryption_is_in_force(sqs):
    url = sqs.create_queue(QueueName="sealed")["QueueUrl"]
    both = {"KmsMasterKeyId": "mine", "SqsManagedSseEnabled": "true"}
    code, text = refused(sqs.set_queue_attributes, QueueUrl=url, Attributes=both)
    assert (code, text[:20]) == ("InvalidAttributeName", "You can use one type")

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "mine"})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": ""})
    assert attributes(sqs, url)["SqsManagedSseEnabled"] == "false"
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"KmsMasterKeyId": "mine"})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})

    got = attributes(sqs, url)

    assert "KmsMasterKeyId" not in got
    assert got["SqsManagedSseEnabled"] == "true"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("FifoQueue", "false", "Unknown Attribute FifoQueue."),
        ("ContentBasedDeduplication", "false", "Unknown Attribute ContentBasedDeduplication."),
        (
            "DeduplicationScope",
            "queue",
            "You can specify the DeduplicationScope only when FifoQueue is set to true.",
        ),
        (
            "FifoThroughputLimit",
            "perQueue",
            "You can specify the FifoThroughputLimit only when FifoQueue is set to true.",
        ),
    ],
)
def test_a_standard_queue_has_no_attributes_of_a_fifo_queue(sqs, name, value, text):
    assert refused(sqs.create_queue, QueueName="plain", Attributes={name: value}) == (
        "InvalidAttributeName",
        text,
    )


def test_a_queues_type_is_for_life(sqs):
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "True"})["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"FifoQueue": "true"})

    assert refused(sqs.set_queue_attributes, QueueUrl=url, Attributes={"FifoQueue": "false"}) == (
        "InvalidAttributeValue",
        "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
    )


def test_throughput_per_group_needs_deduplication_per_group(sqs):
    wanted = {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}
    assert refused(sqs.create_queue, QueueName="q.fifo", Attributes=wanted)[0] == "InvalidAttributeValue"

    sqs.create_queue(QueueName="q.fifo", Attributes={**wanted, "DeduplicationScope": "messageGroup"})


def test_dead_letter_queues_are_of_their_sources_type(sqs):
    sqs.create_queue(QueueName="dead")
    policy = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 3})

    code, text = refused(
        sqs.create_queue, QueueName="q.fifo", Attributes={"FifoQueue": "true", "RedrivePolicy": policy}
    )

    assert code == "InvalidParameterValue"
    assert "same type" in text


def test_a_receive_waits_as_long_as_its_queue_says(emulator, sqs):
    url = sqs.create_queue(QueueName="patient", Attributes={"ReceiveMessageWaitTimeSeconds": "20"})[
        "QueueUrl"
    ]
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(sqs.receive_message, QueueUrl=url)
        emulator.wait_for_polls(1)
        assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0)

        sqs.send_message(QueueUrl=url, MessageBody="x")

        assert len(poll.result(timeout=10)["Messages"]) == 1


def test_a_dead_letter_queue_may_refuse_its_sources(sqs):
    allow = {"redrivePermission": "byQueue", "sourceQueueArns": [ARN + "friend"]}
    sqs.create_queue(QueueName="dead", Attributes={"RedriveAllowPolicy": json.dumps(allow)})
    policy = {"RedrivePolicy": json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 3})}

    sqs.create_queue(QueueName="friend", Attributes=policy)

    assert refused(sqs.create_queue, QueueName="stranger", Attributes=policy)[0] == "InvalidParameterValue"


def test_a_deleted_queue_is_gone_and_its_name_is_free_after_a_minute(emulator, sqs):
    emulator.clock(freeze=True)
    url = sqs.create_queue(QueueName="brief")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)

    assert (
        refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0]
        == "AWS.SimpleQueueService.NonExistentQueue"
    )
    assert refused(sqs.create_queue, QueueName="brief")[0] == "AWS.SimpleQueueService.QueueDeletedRecently"
    emulator.clock(advance=60)
    sqs.create_queue(QueueName="brief")


def test_a_long_poll_ends_when_its_queue_is_deleted(emulator, sqs):
    url = sqs.create_queue(QueueName="brief")["QueueUrl"]
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        emulator.wait_for_polls(1)

        sqs.delete_queue(QueueUrl=url)

        assert "Messages" not in poll.result(timeout=10)


def test_a_purge_deletes_everything_once_a_minute(emulator, sqs):
    emulator.clock(freeze=True)
    url = sqs.create_queue(QueueName="full")["QueueUrl"]
    for delay in (0, 0, 60):
        sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=delay)
    handle = sqs.receive_message(QueueUrl=url)["Messages"][0]["ReceiptHandle"]

    sqs.purge_queue(QueueUrl=url)

    got = attributes(sqs, url)
    assert [got[f"ApproximateNumberOfMessages{kind}"] for kind in ("", "NotVisible", "Delayed")] == [
        "0",
        "0",
        "0",
    ]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
    assert refused(sqs.purge_queue, QueueUrl=url)[0] == "AWS.SimpleQueueService.PurgeQueueInProgress"
    emulator.clock(advance=60)
    sqs.purge_queue(QueueUrl=url)


def test_queues_are_listed_by_prefix_and_page_by_page(sqs):
    for name in ("b2", "a1", "b1", "b3"):
        sqs.create_queue(QueueName=name)

    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="b", PaginationConfig={"PageSize": 2})
    names = [[url.rpartition("/")[2] for url in page["QueueUrls"]] for page in pages]

    assert names == [["b1", "b2"], ["b3"]]
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="c")
    assert refused(sqs.list_queues, MaxResults=1001)[0] == "InvalidParameterValue"


def test_permissions_become_statements_of_the_policy(sqs):
    url = sqs.create_queue(QueueName="shared")["QueueUrl"]
    grant = {"QueueUrl": url, "AWSAccountIds": ["111122223333"], "Actions": ["SendMessage", "ReceiveMessage"]}
    sqs.add_permission(Label="both", **grant)

    policy = json.loads(attributes(sqs, url, "Policy")["Policy"])

    assert policy["Version"] == "2008-10-17"
    assert policy["Statement"] == [
        {
            "Sid": "both",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": ["SQS:SendMessage", "SQS:ReceiveMessage"],
            "Resource": ARN + "shared",
        }
    ]
    assert (
        refused(sqs.add_permission, Label="both", **{**grant, "Actions": ["SendMessage"]})[0]
        == "InvalidParameterValue"
    )
    assert (
        refused(sqs.add_permission, Label="no", **{**grant, "Actions": ["CreateQueue"]})[0]
        == "InvalidParameterValue"
    )
    assert refused(sqs.add_permission, Label="no", **{**grant, "Actions": ["*"] * 8})[0] == "OverLimit"
    sqs.remove_permission(QueueUrl=url, Label="both")
    assert attributes(sqs, url, "Policy") is None
    assert refused(sqs.remove_permission, QueueUrl=url, Label="both") == (
        "InvalidParameterValue",
        "Value both for parameter Label is invalid. Reason: can't find label.",
    )


def test_tags_are_kept(sqs):
    url = sqs.create_queue(QueueName="tagged", tags={"a": "1", "b": "2"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"b": "3", "c": "4"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["a", "none"])

    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "3", "c": "4"}


@pytest.mark.parametrize("again", [{"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}])
def test_creating_a_queue_again_with_other_tags_is_refused(sqs, again):
    url = sqs.create_queue(QueueName="tagged", tags={"a": "1", "c": "3"})["QueueUrl"]

    assert refused(sqs.create_queue, QueueName="tagged", tags=again)[0] == "QueueAlreadyExists"
    assert sqs.create_queue(QueueName="tagged")["QueueUrl"] == url
    assert sqs.create_queue(QueueName="tagged", tags={"a": "1"})["QueueUrl"] == url
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"a": "1", "c": "3"}


def test_accounts_and_regions_have_queues_of_their_own(emulator, sqs):
    sqs.create_queue(QueueName="mine")
    other_account = emulator.client("sqs", key="123456789012")
    other_region = emulator.client("sqs", region="us-west-2")

    for other in (other_account, other_region):
        assert refused(other.get_queue_url, QueueName="mine")[0] == "AWS.SimpleQueueService.NonExistentQueue"
    assert "/123456789012/" in other_account.create_queue(QueueName="theirs")["QueueUrl"]
    assert other_account.get_queue_url(QueueName="mine", QueueOwnerAWSAccountId="000000000000")["QueueUrl"]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://localhost/000000000000/none", "AWS.SimpleQueueService.NonExistentQueue"),
        ("http://localhost/what/none", "InvalidAddress"),
    ],
)
def test_urls_that_name_no_queue_are_refused(sqs, url, code):
    assert refused(sqs.send_message, QueueUrl=url, MessageBody="x")[0] == code


@pytest.mark.parametrize(
    "url", ["http://elsewhere:1/000000000000/q", "http://localhost/queue/eu-west-1/000000000000/q", "q"]
)
def test_urls_of_every_habit_are_understood(sqs, url):
    sqs.create_queue(QueueName="q")

    assert sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]
