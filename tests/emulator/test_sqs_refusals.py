"""Refusals in the words that AWS was heard to say them in, by the JSON protocol.

Their sources stand in cloudq_emulator/sqs/refusals.py, row by row.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

MALFORMED = "MalformedInput"
VALUE = "InvalidParameterValue"
ATTRIBUTE = "InvalidAttributeValue"
TAG_RULE = "contain unicode letters, digits, whitespace, or one of these symbols: _ . : / = + - @"
NO_LIST = "Start of list found where not expected"
NO_MAP = "Start of structure or map found where not expected."
ARN = "arn:aws:sqs:eu-west-1:000000000000:plain"


@pytest.fixture
def ask(emulator, sqs):
    """Ask of the queue "plain"; answers the older code and the text of what is refused."""
    url = sqs.create_queue(QueueName="plain")["QueueUrl"]

    def ask(operation, params):
        body = params if isinstance(params, bytes) else json.dumps({"QueueUrl": url} | params).encode()
        scope = "AWS4-HMAC-SHA256 Credential=test/20261121/eu-west-1/sqs/aws4_request, Signature=0"
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Authorization": scope}
        try:
            with urllib.request.urlopen(
                urllib.request.Request(emulator.endpoint, body, headers), timeout=30
            ) as answer:
                return "", json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.headers["x-amzn-query-error"].partition(";")[0], json.load(error)["message"]

    return ask


def refused(ask, operation, params, code, text):
    got, message = ask(operation, params)
    assert got == code, message
    assert message.endswith(text) if text else message


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        ("SendMessage", {"MessageBody": []}, NO_LIST),
        ("SendMessage", {"MessageBody": {}}, NO_MAP),
        ("SendMessage", {"QueueUrl": [], "MessageBody": "x"}, NO_LIST),
        (
            "SendMessage",
            {"MessageBody": "x", "DelaySeconds": "1"},
            "STRING_VALUE can not be converted to an Integer",
        ),
        (
            "SendMessage",
            {"MessageBody": "x", "DelaySeconds": True},
            "TRUE_VALUE can not be converted to an Integer",
        ),
        ("SendMessage", {"MessageBody": "x", "DelaySeconds": {}}, NO_MAP),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": []}, NO_LIST),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": 1}, "Expected map or null"),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": {"a": "b"}}, "Expected null"),
        ("SendMessage", {"MessageBody": "x", "MessageAttributes": {"a": []}}, NO_LIST),
        ("SendMessageBatch", {"Entries": {}}, NO_MAP),
        ("SendMessageBatch", {"Entries": "x"}, "Expected list or null"),
        ("SendMessageBatch", {"Entries": ["x"]}, "Expected null"),
        ("SetQueueAttributes", {"Attributes": {"DelaySeconds": {}}}, NO_MAP),
        (
            "SetQueueAttributes",
            {"Attributes": {"DelaySeconds": []}},
            "Unrecognized collection type class java.lang.String",
        ),
        ("ReceiveMessage", {"AttributeNames": "All"}, "Expected list or null"),
        ("ReceiveMessage", {"AttributeNames": [["All"]]}, NO_LIST),
        ("SendMessage", b"[]", "it is no JSON object"),
        ("SendMessage", b'{"MessageBody": ', ""),
        ("SendMessage", b'{"MessageBody": "\xff"}', ""),
    ],
)
def test_what_is_of_another_type_cannot_be_read(ask, operation, params, text):
    refused(ask, operation, params, MALFORMED, text)


@pytest.mark.parametrize(
    ("params", "body"),
    [({"MessageBody": 1.5}, "1.5"), ({"MessageBody": True}, "true"), ({"MessageBody": 7}, "7")],
)
def test_numbers_and_booleans_stand_for_text(ask, sqs, params, body):
    ask("SendMessage", params)

    (message,) = sqs.receive_message(QueueUrl="plain")["Messages"]
    assert message["Body"] == body


def test_null_is_as_good_as_absent(ask, sqs):
    code, _ = ask("SendMessage", {"MessageBody": "x", "DelaySeconds": None, "MessageAttributes": None})

    assert code == ""
    assert sqs.receive_message(QueueUrl="plain")["Messages"]


LONG = "a" * 257


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        (
            "",
            {"DataType": "String", "StringValue": "x"},
            "must contain non-empty message (user) attribute names.",
        ),
        (LONG, {"DataType": "String", "StringValue": "x"}, "attribute name must be shorter than 256 bytes."),
        (".a", {"DataType": "String", "StringValue": "x"}, "must not begin with character '.'."),
        ("a.", {"DataType": "String", "StringValue": "x"}, "must not end with character '.'."),
        ("a..b", {"DataType": "String", "StringValue": "x"}, "must not have successive '.' characters."),
        ("AWS.a", {"DataType": "String", "StringValue": "x"}, "These strings are reserved for internal use."),
        ("a", {}, "The message (user) attribute 'a' must contain a non-empty message attribute value."),
        (
            "a",
            {"StringValue": "x"},
            "The message (user) attribute 'a' must contain a non-empty message attribute type.",
        ),
        ("a", {"DataType": "Text", "StringValue": "x"}, "type prefixes: Binary, Number, String."),
        (
            "a",
            {"DataType": "Binary"},
            "Message (user) attribute 'a' must contain a non-empty value of type 'Binary'.",
        ),
        (
            "a",
            {"DataType": "String", "StringValue": "x", "BinaryValue": "eA=="},
            "'a' must have a single value.",
        ),
        ("a", {"DataType": "Binary", "StringValue": "x"}, "'a' with type 'Binary' must use field 'Binary'."),
        (
            "a",
            {"DataType": "Number", "StringValue": "x"},
            "Can't cast the value of message (user) attribute 'a' to a number.",
        ),
    ],
)
def test_message_attributes_are_refused_by_what_is_wrong(ask, name, value, text):
    refused(ask, "SendMessage", {"MessageBody": "x", "MessageAttributes": {name: value}}, VALUE, text)


def test_lists_of_values_are_not_supported(ask):
    value = {"DataType": "String", "StringListValues": ["x"]}
    params = {"MessageBody": "x", "MessageAttributes": {"a": value}}

    refused(
        ask,
        "SendMessage",
        params,
        "AWS.SimpleQueueService.UnsupportedOperation",
        "Message attribute list values in SendMessage operation are not supported.",
    )


def test_a_body_names_the_character_that_xml_cannot_carry(ask):
    text = (
        "Invalid binary character '#xB' was found in the message body, the set of allowed characters is "
        "#x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."
    )
    refused(ask, "SendMessage", {"MessageBody": "a\x0bb"}, "InvalidMessageContents", text)


def test_an_entry_without_a_body_is_named_by_its_number(ask):
    entries = [{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": ""}]

    _, answer = ask("SendMessageBatch", {"Entries": entries})

    text = "No Value Found for SendMessageBatchRequestEntry.2.MessageBody."
    assert answer["Failed"] == [{"Id": "b", "Code": "EmptyValue", "Message": text, "SenderFault": True}]
    assert [entry["Id"] for entry in answer["Successful"]] == ["a"]


DEAD = "arn:aws:sqs:eu-west-1:000000000000:dead"


@pytest.mark.parametrize(
    ("name", "policy", "code", "text"),
    [
        ("RedrivePolicy", "[]", ATTRIBUTE, "Reason: Redrive policy is not a valid JSON map."),
        ("RedrivePolicy", "x", ATTRIBUTE, "Reason: Redrive policy is not a valid JSON map."),
        (
            "RedrivePolicy",
            {"maxReceiveCount": 1},
            VALUE,
            "Redrive policy does not contain mandatory attribute: deadLetterTargetArn.",
        ),
        (
            "RedrivePolicy",
            {"deadLetterTargetArn": DEAD},
            VALUE,
            "Redrive policy does not contain mandatory attribute: maxReceiveCount.",
        ),
        (
            "RedrivePolicy",
            {"deadLetterTargetArn": DEAD, "maxReceiveCount": 1, "more": 1},
            VALUE,
            "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
        ),
        (
            "RedrivePolicy",
            {"deadLetterTargetArn": DEAD, "maxReceiveCount": 1001},
            VALUE,
            "Invalid value for maxReceiveCount: 1001, valid values are from 1 to 1000 both inclusive.",
        ),
        (
            "RedrivePolicy",
            {"deadLetterTargetArn": DEAD, "maxReceiveCount": 1},
            VALUE,
            "Dead letter target does not exist.",
        ),
        (
            "RedrivePolicy",
            {"deadLetterTargetArn": "arn:aws:sns:eu-west-1:000000000000:dead", "maxReceiveCount": 1},
            VALUE,
            "Only SQS queues are valid resources for deadLetterTargetArn.",
        ),
        ("RedriveAllowPolicy", "x", ATTRIBUTE, "as it\u2019s in an unsupported format."),
        (
            "RedriveAllowPolicy",
            {"redrivePermission": "byQueue"},
            VALUE,
            "you must also specify one or more sourceQueueArns values.",
        ),
        (
            "RedriveAllowPolicy",
            {"redrivePermission": "denyAll", "sourceQueueArns": [ARN]},
            VALUE,
            "you must set redrivePermission to byQueue.",
        ),
        (
            "RedriveAllowPolicy",
            {"redrivePermission": "byQueue", "sourceQueueArns": [ARN] * 11},
            VALUE,
            "The maximum number of source queue ARNs you can specify is 10.",
        ),
    ],
)
def test_policies_of_dead_letters_are_refused_by_what_is_wrong(ask, name, policy, code, text):
    written = policy if isinstance(policy, str) else json.dumps(policy)

    refused(ask, "SetQueueAttributes", {"Attributes": {name: written}}, code, text)


@pytest.mark.parametrize(
    ("operation", "params", "code", "text"),
    [
        ("TagQueue", {"Tags": {"": "x"}}, VALUE, "Tag keys must be between 1 and 128 characters in length."),
        (
            "TagQueue",
            {"Tags": {"a?": "x"}},
            VALUE,
            f"Tag keys may only {TAG_RULE}",
        ),
        (
            "TagQueue",
            {"Tags": {"a": "?"}},
            VALUE,
            f"Tag values may only {TAG_RULE}",
        ),
        (
            "ListQueues",
            {"NextToken": "x"},
            VALUE,
            "MaxResults is a mandatory parameter when you provide a value for NextToken.",
        ),
        ("ListQueues", {"NextToken": "x", "MaxResults": 1}, VALUE, "Invalid or expired next token."),
        ("ListQueues", {"MaxResults": 1001}, VALUE, "MaxResults must be an integer between 1 and 1000."),
        (
            "CreateQueue",
            {},
            VALUE,
            "Value for parameter QueueName is invalid. Reason: Must specify a queue name.",
        ),
        ("CreateQueue", {"QueueName": ""}, VALUE, "Queue name cannot be empty"),
        (
            "CreateQueue",
            {"QueueName": "a.fifo"},
            VALUE,
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ),
        (
            "AddPermission",
            {"Label": "a", "AWSAccountIds": ["000000000000"]},
            "MissingParameter",
            "The request must contain the parameter ActionName.",
        ),
        (
            "AddPermission",
            {"Label": "a", "AWSAccountIds": ["000000000000"], "Actions": []},
            "MissingParameter",
            "The request must contain the parameter Actions.",
        ),
        (
            "AddPermission",
            {"Label": "a", "AWSAccountIds": ["000000000000"], "Actions": ["SendMessageBatch"]},
            VALUE,
            "Reason: Please refer to the appropriate WSDL for a list of valid actions.",
        ),
        (
            "AddPermission",
            {"Label": "a", "AWSAccountIds": ["000000000000"], "Actions": ["CreateQueue"]},
            VALUE,
            "Reason: Only the queue owner is allowed to invoke this action.",
        ),
        ("ChangeMessageVisibility", {}, "MissingParameter", "must contain the parameter ReceiptHandle."),
        (
            "SendMessage",
            {"QueueUrl": None, "MessageBody": "x"},
            "MissingParameter",
            "the parameter QueueUrl.",
        ),
        ("SendMessage", {}, "MissingParameter", "The request must contain the parameter MessageBody."),
        (
            "SendMessage",
            {"MessageBody": "x", "DelaySeconds": 901},
            VALUE,
            "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.",
        ),
        (
            "ReceiveMessage",
            {"VisibilityTimeout": 43201},
            VALUE,
            "VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.",
        ),
        (
            "StartMessageMoveTask",
            {"SourceArn": "plain"},
            VALUE,
            "specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>",
        ),
        (
            "SetQueueAttributes",
            {"Attributes": {"DelaySeconds": "901"}},
            ATTRIBUTE,
            "Invalid value for the parameter DelaySeconds.",
        ),
        (
            "GetQueueAttributes",
            {"QueueUrl": "https://sqs.us-west-2.amazonaws.com/000000000000/plain"},
            "InvalidAddress",
            "The address https://sqs.us-west-2.amazonaws.com/ is not valid for this endpoint.",
        ),
    ],
)
def test_parameters_are_refused_by_what_is_wrong(ask, operation, params, code, text):
    refused(ask, operation, params, code, text)


def test_a_token_belongs_to_its_request(ask, sqs):
    for number in range(3):
        sqs.create_queue(QueueName=f"a{number}")
    _, page = ask("ListQueues", {"QueueNamePrefix": "a", "MaxResults": 1})

    refused(
        ask,
        "ListQueues",
        {"QueueNamePrefix": "b", "MaxResults": 1, "NextToken": page["NextToken"]},
        VALUE,
        "Invalid NextToken value. If you are passing in NextToken, you must not change the other request "
        "parameters.",
    )


def test_a_policy_has_twenty_statements_at_most(ask):
    permission = {"AWSAccountIds": ["000000000000"], "Actions": ["SendMessage"]}
    for number in range(20):
        assert ask("AddPermission", {"Label": f"label{number}", **permission})[0] == ""
    assert ask("AddPermission", {"Label": "label0", **permission})[0] == ""  # there already

    text = "21 Statements were found, maximum allowed is 20."
    refused(ask, "AddPermission", {"Label": "more", **permission}, "OverLimit", text)
