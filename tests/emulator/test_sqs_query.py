"""The query protocol over real HTTP: by POST and GET, signed or not."""

from __future__ import annotations

import json
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


def test_an_empty_answer_has_an_empty_result(ask):
    ask("CreateQueue", QueueName="old")

    _, received = ask("ReceiveMessage", "/000000000000/old")
    _, purged = ask("PurgeQueue", "/000000000000/old")

    assert next(child.tag for child in received) == NAMESPACE + "ReceiveMessageResult"
    assert [child.tag for child in purged] == [NAMESPACE + "ResponseMetadata"]


def test_the_only_item_of_a_list_or_map_needs_no_number(ask):
    ask("CreateQueue", QueueName="old", **{"Attribute.Name": "DelaySeconds", "Attribute.Value": "7"})

    _, attributes = ask("GetQueueAttributes", "/000000000000/old", AttributeName="DelaySeconds")

    assert texts(attributes, "Value") == ["7"]


def test_names_in_the_plural_are_understood(ask):
    ask("CreateQueue", QueueName="old")
    path = "/000000000000/old"

    ask(
        "TagQueue",
        path,
        **{"Tags.1.Key": "team", "Tags.1.Value": "a", "Tags.2.Key": "b", "Tags.2.Value": "c"},
    )
    ask("UntagQueue", path, **{"TagKeys.1": "b"})

    assert texts(ask("ListQueueTags", path)[1], "Key") == ["team"]


def test_a_name_in_the_plural_alone_is_an_empty_list(ask):
    ask("CreateQueue", QueueName="old")
    ask("SendMessage", "/000000000000/old", MessageBody="x", MessageAttributes="")

    _, received = ask("ReceiveMessage", "/000000000000/old", AttributeNames="", MessageAttributeNames="")
    _, refused = ask("AddPermission", "/000000000000/old", Label="a", Actions="", **{"AWSAccountId.1": "1"})

    assert texts(received, "Body") == ["x"]
    assert texts(refused, "Message") == ["The request must contain the parameter Actions."]


def test_the_older_way_to_ask_for_system_attributes_counts(ask):
    ask("CreateQueue", QueueName="old")
    ask("SendMessage", "/000000000000/old", MessageBody="x")
    both = {"AttributeName.1": "SenderId", "MessageSystemAttributeName.1": "All"}

    _, received = ask("ReceiveMessage", "/000000000000/old", **both)

    assert texts(received, "Name") == ["SenderId"]


@pytest.mark.parametrize("action", ["CreateQueue", "ListQueues", "FooBar"])
def test_a_queues_url_knows_its_own_operations_only(ask, action):
    ask("CreateQueue", QueueName="old")

    status, answer = ask(action, "/000000000000/old", method="GET", QueueName="new")

    assert status == 400
    assert texts(answer, "Code") == ["InvalidAction"]
    assert texts(answer, "Message") == [f"The action {action} is not valid for this endpoint."]


@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_a_request_for_no_operation_is_unknown(emulator, accept):
    request = urllib.request.Request(f"{emulator.endpoint}/000000000000/old", headers={"Accept": accept})

    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)

    with caught.value as answer:
        assert (answer.code, answer.read()) == (404, b"<UnknownOperationException/>")


@pytest.fixture
def ask_for_json(emulator):
    def ask(path="/", **params):
        headers = {"Authorization": SCOPE.format(key="test"), "Accept": "application/json"}
        url = f"{emulator.endpoint}{path}?{urllib.parse.urlencode(params)}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    return ask


def test_who_accepts_json_gets_json(emulator, ask, ask_for_json):
    ask("CreateQueue", QueueName="old")
    attribute = {"MessageAttribute.1.Name": "a", "MessageAttribute.1.Value.DataType": "String"}
    sent = ask_for_json(
        "/000000000000/old",
        Action="SendMessage",
        MessageBody="<x>",
        **attribute,
        **{"MessageAttribute.1.Value.StringValue": "y"},
    )
    received = ask_for_json("/000000000000/old", Action="ReceiveMessage", **{"MessageAttributeName.1": "All"})
    listed = ask_for_json(Action="ListQueues")
    shown = ask_for_json("/000000000000/old", Action="GetQueueAttributes", **{"AttributeName.1": "QueueArn"})
    refused = ask_for_json("/000000000000/old", Action="ListQueues")

    (message,) = received["ReceiveMessageResponse"]["ReceiveMessageResult"]["messages"]
    assert message["Body"] == "<x>"
    assert message["MessageId"] == sent["SendMessageResponse"]["SendMessageResult"]["MessageId"]
    assert message["MessageAttributes"] == [
        {"Name": "a", "Value": {"StringValue": "y", "DataType": "String"}}
    ]
    assert listed["ListQueuesResponse"]["ListQueuesResult"]["queueUrls"] == [
        f"{emulator.endpoint}/000000000000/old"
    ]
    assert shown["GetQueueAttributesResponse"]["GetQueueAttributesResult"]["Attributes"] == [
        {"Name": "QueueArn", "Value": "arn:aws:sqs:eu-west-1:000000000000:old"}
    ]
    assert refused["Error"]["Code"] == "InvalidAction"
