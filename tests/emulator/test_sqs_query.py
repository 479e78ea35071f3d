"""The query protocol over real HTTP: by POST and GET, signed or not."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from xml.etree import ElementTree as ET

import pytest

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
SCOPE = (
    "AWS4-HMAC-SHA256 Credential={key}/20261121/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
)


@pytest.fixture
def ask(emulator):
    def ask(action, path="/", *, method="POST", headers=None, **params):
        form = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **params})
        headers = {"Authorization": SCOPE.format(key="test")} if headers is None else headers
        if method == "GET":
            request = urllib.request.Request(f"{emulator.endpoint}{path}?{form}", headers=headers)
        else:
            request = urllib.request.Request(emulator.endpoint + path, form.encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, ET.parse(response).getroot()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ET.parse(error).getroot()

    return ask


def texts(root, name):
    return [element.text for element in root.iter(NAMESPACE + name)]


def test_a_message_goes_round(ask):
    _, created = ask(
        "CreateQueue", QueueName="old", **{"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": "7"}
    )
    (url,) = texts(created, "QueueUrl")
    attribute = {
        "MessageAttribute.1.Name": "a",
        "MessageAttribute.1.Value.DataType": "String",
        "MessageAttribute.1.Value.StringValue": "x & y",
    }
    _, sent = ask("SendMessage", QueueUrl=url, MessageBody="<b>\r\n&", **attribute)

    asked = {"AttributeName.1": "ApproximateReceiveCount", "MessageAttributeName.1": "All"}
    status, received = ask("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages="10", **asked)

    assert status == 200
    assert received.tag == NAMESPACE + "ReceiveMessageResponse"
    assert texts(received, "MessageId") == texts(sent, "MessageId")
    assert texts(received, "Body") == ["<b>\r\n&"]
    assert texts(received, "Name") == ["ApproximateReceiveCount", "a"]
    assert texts(received, "StringValue") == ["x & y"]
    assert texts(received, "MD5OfMessageAttributes") == texts(sent, "MD5OfMessageAttributes")
    assert ask("DeleteMessage", QueueUrl=url, ReceiptHandle=texts(received, "ReceiptHandle")[0])[0] == 200
    _, attributes = ask("GetQueueAttributes", QueueUrl=url, **{"AttributeName.1": "VisibilityTimeout"})
    assert texts(attributes, "Value") == ["7"]


def test_batches_go_round(ask):
    ask("CreateQueue", QueueName="old")
    entries = {}
    for number in range(1, 4):
        entries[f"SendMessageBatchRequestEntry.{number}.Id"] = f"id{number}"
        entries[f"SendMessageBatchRequestEntry.{number}.MessageBody"] = f"body{number}"
    entries["SendMessageBatchRequestEntry.3.DelaySeconds"] = "901"

    _, answer = ask("SendMessageBatch", "/000000000000/old", **entries)

    assert [
        child.text for entry in answer.iter(NAMESPACE + "SendMessageBatchResultEntry") for child in entry
    ][0::3] == [
        "id1",
        "id2",
    ]
    (failed,) = answer.iter(NAMESPACE + "BatchResultErrorEntry")
    assert {child.tag.removeprefix(NAMESPACE): child.text for child in failed}["SenderFault"] == "true"
    _, received = ask("ReceiveMessage", "/000000000000/old", MaxNumberOfMessages="10")
    assert texts(received, "Body") == ["body1", "body2"]


def test_refusals_have_the_older_text(ask):
    status, answer = ask("SendMessage", "/000000000000/none", MessageBody="x")

    assert status == 400
    assert texts(answer, "Code") == ["AWS.SimpleQueueService.NonExistentQueue"]
    assert texts(answer, "Message") == ["The specified queue does not exist for this wsdl version."]
    assert texts(answer, "Type") == ["Sender"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "sqs.us-east-1.localhost.localstack.cloud:4566"},
        {"Authorization": SCOPE.format(key="123456789012")},
    ],
    ids=["unsigned", "by host", "an account's key"],
)
def test_callers_are_known_by_signature_host_or_action(ask, headers):
    _, created = ask("CreateQueue", method="GET", headers=headers, QueueName="odd")

    (url,) = texts(created, "QueueUrl")
    account = "123456789012" if "Authorization" in headers else "000000000000"
    assert url.endswith(f"/{account}/odd")
    assert headers.get("Host", "") in url
    _, listed = ask("ListQueues", method="GET", headers=headers)
    assert texts(listed, "QueueUrl") == [url]


def test_credentials_may_stand_in_the_query_string(ask):
    credential = {"X-Amz-Credential": "test/20261121/ap-south-1/sqs/aws4_request"}
    ask("CreateQueue", method="GET", headers={}, QueueName="there", **credential)

    assert texts(ask("ListQueues", method="GET", headers={}, **credential)[1], "QueueUrl")
    assert not texts(ask("ListQueues", method="GET", headers={})[1], "QueueUrl")


def test_tags_and_empty_answers(ask):
    ask("CreateQueue", QueueName="old", **{"Tag.1.Key": "team", "Tag.1.Value": "a"})
    ask("TagQueue", "/000000000000/old", **{"Tag.1.Key": "env", "Tag.1.Value": "b"})
    ask("UntagQueue", "/000000000000/old", **{"TagKey.1": "team"})

    _, listed = ask("ListQueueTags", "/000000000000/old")

    assert texts(listed, "Key") == ["env"]
    assert texts(ask("PurgeQueue", "/000000000000/old")[1], "RequestId")
