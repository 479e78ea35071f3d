"""Refusals that were recorded from AWS, in both protocols.

Source: LocalStack's tests/aws/services/sqs/test_sqs.snapshot.json, recorded 2022 to 2023, and the texts that
its test_sqs.py, which AWS passes, asks for; read 2026-11. Sizes are those of 2025, when a message's most
became 1 MiB.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple
from xml.etree import ElementTree as ET

import pytest

SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261121/eu-west-1/sqs/aws4_request, Signature=0"
}
FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
MEBIBYTE = 1_048_576
ID_RULE = (
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long."
)
FIFO_ONLY = "The request include parameter that is not valid for this queue type."
NO_DEDUPLICATION = (
    "The queue should either have ContentBasedDeduplication enabled or "
    "MessageDeduplicationId provided explicitly"
)
ONE_SSE = (
    "You can use one type of server-side encryption (SSE) at one time. "
    "You can either enable KMS SSE or SQS SSE."
)


class Refused(NamedTuple):
    """What a refusal says: the newer name of its code, the older one, its text."""

    status: int
    name: str
    code: str
    message: str


def value(text):
    return Refused(
        400, "com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue", text
    )


def missing(parameter):
    name = "com.amazon.coral.service#MissingRequiredParameterException"
    return Refused(400, name, "MissingParameter", f"The request must contain the parameter {parameter}.")


def attribute_name(text):
    return Refused(400, "com.amazonaws.sqs#InvalidAttributeName", "InvalidAttributeName", text)


def batch(name, text):
    return Refused(400, f"com.amazonaws.sqs#{name}", f"AWS.SimpleQueueService.{name}", text)


def sends(*entries):
    return {"Entries": [{"Id": str(number), **entry} for number, entry in enumerate(entries)]}


def deletes(*ids):
    return {"Entries": [{"Id": name, "ReceiptHandle": "handle"} for name in ids]}


STANDARD = {
    "one receive's most is ten": (
        "ReceiveMessage",
        {"MaxNumberOfMessages": 11},
        value(
            "Value 11 for parameter MaxNumberOfMessages is invalid. "
            "Reason: Must be between 1 and 10, if provided."
        ),
    ),
    "one receive's least is one": (
        "ReceiveMessage",
        {"MaxNumberOfMessages": 0},
        value(
            "Value 0 for parameter MaxNumberOfMessages is invalid. "
            "Reason: Must be between 1 and 10, if provided."
        ),
    ),
    "a wait's most is twenty seconds": (
        "ReceiveMessage",
        {"WaitTimeSeconds": 21},
        value(
            "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        ),
    ),
    "a body is too long": (
        "SendMessage",
        {"MessageBody": "a" * (MEBIBYTE + 1)},
        value(f"One or more parameters are invalid. Reason: Message must be shorter than {MEBIBYTE} bytes."),
    ),
    "a batch is too long": (
        "SendMessageBatch",
        sends({"MessageBody": "a" * MEBIBYTE}, {"MessageBody": "b"}),
        batch(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {MEBIBYTE} bytes. You have sent {MEBIBYTE + 1} bytes.",
        ),
    ),
    "a batch has no entries": (
        "SendMessageBatch",
        {"Entries": []},
        batch(
            "EmptyBatchRequest",
            "There should be at least one SendMessageBatchRequestEntry in the request.",
        ),
    ),
    "too many entries to send": (
        "SendMessageBatch",
        sends(*({"MessageBody": "x"} for _ in range(20))),
        batch(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 20.",
        ),
    ),
    "too many entries to delete": (
        "DeleteMessageBatch",
        deletes(*(str(number) for number in range(11))),
        batch(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 11.",
        ),
    ),
    "an entry's id has a colon": (
        "SendMessageBatch",
        {"Entries": [{"Id": "message:123456", "MessageBody": "x"}]},
        batch("InvalidBatchEntryId", ID_RULE),
    ),
    "an entry's id is empty": ("DeleteMessageBatch", deletes(""), batch("InvalidBatchEntryId", ID_RULE)),
    "an entry's id is too long": (
        "DeleteMessageBatch",
        deletes("testLongId" * 10),
        batch("InvalidBatchEntryId", ID_RULE),
    ),
    "an entry's id comes twice": (
        "DeleteMessageBatch",
        deletes("one", "one"),
        batch("BatchEntryIdsNotDistinct", "Id one repeated."),
    ),
    "a deduplication id on a standard queue": (
        "SendMessage",
        {"MessageBody": "x", "MessageDeduplicationId": "d"},
        value(f"Value d for parameter MessageDeduplicationId is invalid. Reason: {FIFO_ONLY}"),
    ),
    "both encryptions": (
        "SetQueueAttributes",
        {"Attributes": {"SqsManagedSseEnabled": "true", "KmsMasterKeyId": "testKeyId"}},
        attribute_name(ONE_SSE),
    ),
    "an attribute that isn't one": (
        "SetQueueAttributes",
        {"Attributes": {"Invented": "1"}},
        attribute_name("Unknown Attribute Invented."),
    ),
    "a dead-letter queue that is no ARN": (
        "SetQueueAttributes",
        {"Attributes": {"RedrivePolicy": '{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}'}},
        value(
            'Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is '
            "invalid. Reason: Invalid value for deadLetterTargetArn."
        ),
    ),
    "a message attribute without its value": (
        "SendMessage",
        {"MessageBody": "x", "MessageAttributes": {"k": {"DataType": "String", "StringValue": ""}}},
        value("Message (user) attribute 'k' must contain a non-empty value of type 'String'."),
    ),
    "too many entries to change": (
        "ChangeMessageVisibilityBatch",
        deletes(*(str(number) for number in range(20))),
        batch(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent 20.",
        ),
    ),
    "a handle that is none": (
        "DeleteMessage",
        {"ReceiptHandle": "garbage"},
        Refused(
            404,
            "com.amazonaws.sqs#ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
            'The input receipt handle "garbage" is not a valid receipt handle.',
        ),
    ),
}

ON_FIFO = {
    "a delay of one message": (
        "SendMessage",
        {"MessageBody": "x", "MessageGroupId": "g", "DelaySeconds": 2},
        value(f"Value 2 for parameter DelaySeconds is invalid. Reason: {FIFO_ONLY}"),
    ),
    "no group": ("SendMessage", {"MessageBody": "x"}, missing("MessageGroupId")),
    "a group that has a space": (
        "SendMessage",
        {"MessageBody": "x", "MessageGroupId": "a b"},
        value(
            "Value a b for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include "
            "alphanumeric and punctuation characters. 1 to 128 in length."
        ),
    ),
    "another type": (
        "SetQueueAttributes",
        {"Attributes": {"FifoQueue": "false"}},
        Refused(
            400,
            "com.amazonaws.sqs#InvalidAttributeValue",
            "InvalidAttributeValue",
            "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.",
        ),
    ),
}


@pytest.fixture(params=["JSON", "query"])
def ask(emulator, request):
    """Ask an operation in one of the protocols; answers what it says, or the refusal."""

    def ask(operation, **params):
        query = request.param == "query"
        headers, body = _as_query(operation, params) if query else _as_json(operation, params)
        asked = urllib.request.Request(f"{emulator.endpoint}/", body, SIGNED | headers)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return _of_query(error) if query else _of_json(error)

    ask.protocol = request.param
    return ask


def _as_json(operation, params):
    headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
    return headers, json.dumps(params).encode()


def _as_query(operation, params):
    form = {"Action": operation, **dict(_fields(operation, params))}
    return {"Content-Type": "application/x-www-form-urlencoded"}, urllib.parse.urlencode(form).encode()


def _fields(operation, params):
    for name, content in params.items():
        if name == "Entries":
            for number, entry in enumerate(content, 1):
                prefix = f"{operation}RequestEntry.{number}."
                yield from ((prefix + inner, text) for inner, text in _fields(operation, entry))
        elif isinstance(content, list):
            yield from ((f"{name[:-1]}.{number}", item) for number, item in enumerate(content, 1))
        elif isinstance(content, dict):
            for number, (key, item) in enumerate(content.items(), 1):
                prefix = f"{name[:-1]}.{number}"
                yield f"{prefix}.Name", key
                fields = (
                    {f".{inner}": text for inner, text in item.items()}
                    if isinstance(item, dict)
                    else {"": item}
                )
                yield from ((f"{prefix}.Value{inner}", text) for inner, text in fields.items())
        else:
            yield name, content


def _of_json(error):
    content = json.load(error)
    code, fault = error.headers["x-amzn-query-error"].split(";")
    assert fault == "Sender"
    return Refused(error.code, content["__type"], code, content["message"])


def _of_query(error):
    texts = {element.tag.rpartition("}")[2]: element.text for element in ET.parse(error).iter()}
    assert texts["Type"] == "Sender"
    return Refused(error.code, "", texts["Code"], texts["Message"])


def seen(ask, refused):
    """A refusal as this protocol shows it: the query protocol has the older name only."""
    return refused if ask.protocol == "JSON" else refused._replace(name="")


@pytest.mark.parametrize("case", STANDARD)
def test_a_standard_queue_refuses(ask, sqs, case):
    operation, params, refused = STANDARD[case]
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]

    assert ask(operation, QueueUrl=url, **params) == seen(ask, refused)


@pytest.mark.parametrize("case", ON_FIFO)
def test_a_fifo_queue_refuses(ask, sqs, case):
    operation, params, refused = ON_FIFO[case]
    url = sqs.create_queue(QueueName="line.fifo", Attributes=FIFO)["QueueUrl"]

    assert ask(operation, QueueUrl=url, **params) == seen(ask, refused)


def test_a_standard_queue_knows_no_fifo(ask, sqs):
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    unknown = seen(ask, attribute_name("Unknown Attribute FifoQueue."))

    assert ask("CreateQueue", QueueName="other", Attributes={"FifoQueue": "false"}) == unknown
    for kind in ("true", "false"):
        assert ask("SetQueueAttributes", QueueUrl=url, Attributes={"FifoQueue": kind}) == unknown


def test_a_queue_that_is_not_there_has_a_text_for_each_protocol(ask):
    text = "The specified queue does not exist" + (
        "." if ask.protocol == "JSON" else " for this wsdl version."
    )
    refused = Refused(
        400, "com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", text
    )

    assert ask("GetQueueUrl", QueueName="none") == seen(ask, refused)
    assert ask("ReceiveMessage", QueueUrl="http://localhost/000000000000/none") == seen(ask, refused)


def test_a_second_purge_is_forbidden(ask, sqs):
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    ask("PurgeQueue", QueueUrl=url)

    text = "Only one PurgeQueue operation on plain is allowed every 60 seconds."
    refused = batch("PurgeQueueInProgress", text)._replace(status=403)
    assert ask("PurgeQueue", QueueUrl=url) == seen(ask, refused)


def test_a_queue_that_differs_is_told_by_what(ask, sqs):
    sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "1", "DelaySeconds": "2"})

    refused = Refused(
        400,
        "com.amazonaws.sqs#QueueNameExists",
        "QueueAlreadyExists",
        "A queue already exists with the same name and a different value for attribute DelaySeconds",
    )
    for attributes in ({"VisibilityTimeout": "1", "DelaySeconds": "1"}, {"DelaySeconds": "1"}):
        assert ask("CreateQueue", QueueName="plain", Attributes=attributes) == seen(ask, refused)


def test_a_name_is_taken_for_a_minute_after_its_queue(emulator, ask, sqs):
    emulator.clock(freeze=True)
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)

    text = "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    assert ask("CreateQueue", QueueName="plain") == seen(ask, batch("QueueDeletedRecently", text))


def test_a_lease_that_ended_deletes_nothing_of_a_fifo_queue(emulator, ask, sqs):
    emulator.clock(freeze=True)
    url = sqs.create_queue(QueueName="line.fifo", Attributes=FIFO)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="g1-m1", MessageGroupId="g1")
    (message,) = sqs.receive_message(QueueUrl=url, VisibilityTimeout=1)["Messages"]
    emulator.clock(advance=2)

    handle = message["ReceiptHandle"]
    text = f"Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
    assert ask("DeleteMessage", QueueUrl=url, ReceiptHandle=handle) == seen(ask, value(text))


def test_labels_of_permissions_are_unique_and_known(ask, sqs):
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]
    permission = {"Label": "crossaccountpermission", "Actions": ["ReceiveMessage"]}
    sqs.add_permission(QueueUrl=url, AWSAccountIds=["111111111111"], **permission)

    other = {"ActionName.1": "ReceiveMessage", "AWSAccountId.1": "222222222222"}
    if ask.protocol == "JSON":
        other = {"Actions": ["ReceiveMessage"], "AWSAccountIds": ["222222222222"]}

    def invalid(label, reason):
        return seen(ask, value(f"Value {label} for parameter Label is invalid. Reason: {reason}"))

    taken = ask("AddPermission", QueueUrl=url, Label="crossaccountpermission", **other)
    assert taken == invalid("crossaccountpermission", "Already exists.")
    unknown = ask("RemovePermission", QueueUrl=url, Label="other")
    assert unknown == invalid("other", "can't find label on existing policy.")
    sqs.remove_permission(QueueUrl=url, Label="crossaccountpermission")
    unknown = ask("RemovePermission", QueueUrl=url, Label="crossaccountpermission")
    assert unknown == invalid("crossaccountpermission", "can't find label.")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "The request must contain the parameter MessageGroupId."),
        (
            {"MessageGroupId": "g"},
            NO_DEDUPLICATION,
        ),
    ],
    ids=["no group", "no deduplication id"],
)
def test_a_batch_without_ids_is_refused_as_a_whole_by_a_fifo_queue(ask, sqs, entry, reason):
    url = sqs.create_queue(QueueName="line.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    complete = {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    entries = sends(complete, {"MessageBody": "x", **entry})

    assert ask("SendMessageBatch", QueueUrl=url, **entries) == seen(ask, value(reason))
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


def test_boto3_shows_both_names_of_a_code(sqs):
    with pytest.raises(sqs.exceptions.ClientError) as caught:
        sqs.send_message(
            QueueUrl=sqs.create_queue(QueueName="line.fifo", Attributes=FIFO)["QueueUrl"], MessageBody="x"
        )

    assert caught.value.response["Error"] == {
        "Code": "MissingParameter",
        "QueryErrorCode": "MissingRequiredParameterException",
        "Message": "The request must contain the parameter MessageGroupId.",
        "Type": "Sender",
    }
