"""What AWS was recorded to answer about queues: their attributes, encryption, names and permissions.

Source: LocalStack's tests/aws/services/sqs/test_sqs.snapshot.json, recorded 2022 to 2023, and test_sqs.py
beside it, which AWS passes; read 2026-11. What a queue has today, AWS's documentation says: a message's most
is 1 MiB since 2025.
"""

from __future__ import annotations

import json

import pytest

COUNTS = {
    "ApproximateNumberOfMessages": "0",
    "ApproximateNumberOfMessagesNotVisible": "0",
    "ApproximateNumberOfMessagesDelayed": "0",
}
CHANGING = ("CreatedTimestamp", "LastModifiedTimestamp", "QueueArn")


def attributes(sqs, url, *names):
    shown = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names or ["All"]).get("Attributes", {})
    return {name: value for name, value in shown.items() if name not in CHANGING}


def test_attributes_stand_as_they_were_made_and_changed(sqs):
    made = {
        "MessageRetentionPeriod": "604800",
        "ReceiveMessageWaitTimeSeconds": "10",
        "VisibilityTimeout": "20",
        "SqsManagedSseEnabled": "false",
    }
    url = sqs.create_queue(QueueName="plain", Attributes=made)["QueueUrl"]
    assert attributes(sqs, url) == {**COUNTS, **made, "MaximumMessageSize": "1048576", "DelaySeconds": "0"}

    changed = {"MaximumMessageSize": "2048", "VisibilityTimeout": "69", "DelaySeconds": "420"}
    sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    assert attributes(sqs, url) == {**COUNTS, **made, **changed}


def test_a_fifo_queue_has_attributes_of_its_own(sqs):
    made = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName="line.fifo", Attributes=made)["QueueUrl"]
    whole = {
        **COUNTS,
        "ContentBasedDeduplication": "true",
        "DeduplicationScope": "queue",
        "DelaySeconds": "0",
        "FifoQueue": "true",
        "FifoThroughputLimit": "perQueue",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "VisibilityTimeout": "30",
    }
    assert attributes(sqs, url) == whole

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"ContentBasedDeduplication": "false"})
    assert attributes(sqs, url) == {**whole, "ContentBasedDeduplication": "false"}


def test_a_key_turns_the_queues_own_encryption_off(sqs):
    url = sqs.create_queue(QueueName="plain", Attributes={"SqsManagedSseEnabled": "false"})["QueueUrl"]
    key = {"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"}
    names = [*key, "SqsManagedSseEnabled"]

    sqs.set_queue_attributes(QueueUrl=url, Attributes=key)
    assert attributes(sqs, url, *names) == {**key, "SqsManagedSseEnabled": "false"}

    url = sqs.create_queue(QueueName="other")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
    assert attributes(sqs, url, *names) == {"SqsManagedSseEnabled": "true"}


@pytest.mark.parametrize(
    "again", [{}, {"VisibilityTimeout": "69"}, {"VisibilityTimeout": "69", "DelaySeconds": "0"}]
)
def test_creating_a_queue_again_by_what_it_has_finds_it(sqs, again):
    url = sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "69"})["QueueUrl"]

    assert sqs.create_queue(QueueName="plain", Attributes=again)["QueueUrl"] == url


def test_creating_a_queue_again_after_it_was_changed_compares_what_it_has_now(sqs):
    made = {"DelaySeconds": "1", "VisibilityTimeout": "1"}
    url = sqs.create_queue(QueueName="plain", Attributes=made)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "2"})

    assert sqs.create_queue(QueueName="plain", Attributes={"DelaySeconds": "2"})["QueueUrl"] == url
    with pytest.raises(sqs.exceptions.QueueNameExists, match="attribute DelaySeconds"):
        sqs.create_queue(QueueName="plain", Attributes=made)


def test_an_empty_policy_is_none(sqs):
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    policy = {"Version": "2012-10-17", "Statement": []}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})

    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})

    assert attributes(sqs, url, "Policy") == {}


def test_tags_are_told_apart_by_case_and_replaced(sqs):
    url = sqs.create_queue(QueueName="plain", tags={"tag1": "value1"})["QueueUrl"]

    sqs.tag_queue(QueueUrl=url, Tags={"tag1": "other", "Tag1": "case"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["none"])

    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"tag1": "other", "Tag1": "case"}


def test_permissions_live_and_die_by_their_labels(sqs):
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    arn = "arn:aws:sqs:eu-west-1:000000000000:plain"

    def statements():
        shown = attributes(sqs, url, "Policy")
        if not shown:
            return []
        policy = json.loads(shown["Policy"])
        assert (policy["Version"], policy["Id"]) == ("2008-10-17", f"{arn}/SQSDefaultPolicy")
        return policy["Statement"]

    def statement(label, *accounts):
        users = [f"arn:aws:iam::{account}:root" for account in accounts]
        return {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": users if len(users) > 1 else users[0]},
            "Action": "SQS:ReceiveMessage",
            "Resource": arn,
        }

    def allow(label, *accounts):
        sqs.add_permission(QueueUrl=url, Label=label, AWSAccountIds=accounts, Actions=["ReceiveMessage"])

    allow("one", "111111111111", "668614515564")
    assert statements() == [statement("one", "111111111111", "668614515564")]
    sqs.remove_permission(QueueUrl=url, Label="one")
    assert statements() == []
    allow("one", "111111111111")
    allow("two", "111111111111")
    assert statements() == [statement("one", "111111111111"), statement("two", "111111111111")]
    sqs.remove_permission(QueueUrl=url, Label="one")
    assert statements() == [statement("two", "111111111111")]
    sqs.remove_permission(QueueUrl=url, Label="two")
    assert statements() == []


def test_a_page_of_queues_has_a_token_when_it_is_full(sqs):
    urls = [sqs.create_queue(QueueName=f"a-{number}")["QueueUrl"] for number in range(3)]

    first = sqs.list_queues(QueueNamePrefix="a-", MaxResults=2)
    rest = sqs.list_queues(QueueNamePrefix="a-", MaxResults=2, NextToken=first["NextToken"])

    assert first["QueueUrls"] + rest["QueueUrls"] == urls
    assert "NextToken" not in rest
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="none")


def test_the_sources_of_a_dead_letter_queue_are_listed(sqs):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead", "maxReceiveCount": "3"}'
    url = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy})["QueueUrl"]

    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    assert json.loads(attributes(sqs, url, "RedrivePolicy")["RedrivePolicy"])["maxReceiveCount"] in {3, "3"}
