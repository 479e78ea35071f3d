"""Whatever a client sends, it gets one of SQS's answers, and the server goes on serving."""

from __future__ import annotations

import json
import socket
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies

from cloudq_emulator.sqs.actions import ACTIONS
from tests.emulator_process import emulator_process

SCOPE = "AWS4-HMAC-SHA256 Credential=test/20261121/eu-west-1/sqs/aws4_request, Signature=0"
NAMES = (
    *(
        "Actions",
        "Attributes",
        "AttributeNames",
        "AWSAccountIds",
        "DelaySeconds",
        "DestinationArn",
        "Entries",
    ),
    *("Label", "MaxNumberOfMessages", "MaxNumberOfMessagesPerSecond", "MaxResults", "MessageAttributeNames"),
    *("MessageAttributes", "MessageBody", "MessageDeduplicationId", "MessageGroupId", "NextToken"),
    *("MessageSystemAttributeNames", "MessageSystemAttributes", "QueueName", "QueueNamePrefix"),
    *("QueueOwnerAWSAccountId", "QueueUrl", "ReceiptHandle", "ReceiveRequestAttemptId", "SourceArn"),
    *("TagKeys", "Tags", "TaskHandle", "VisibilityTimeout", "tags"),
)
FIELDS = (
    *NAMES,
    *("Id", "DataType", "StringValue", "BinaryValue", "StringListValues", "BinaryListValues"),
    *("Policy", "RedrivePolicy", "RedriveAllowPolicy", "FifoQueue", "KmsMasterKeyId", "SqsManagedSseEnabled"),
)
TEXTS = strategies.one_of(
    strategies.sampled_from(
        [
            *("fuzzed", "fuzzed.fifo", "http://localhost/000000000000/fuzzed", "http://[", "/", "", "All"),
            *("1", "-1", "9" * 5_000, "true", "arn:aws:sqs:eu-west-1:000000000000:fuzzed", "[" * 5_000),
            *('{"redrivePermission": []}', '{"Statement": 1}', '{"maxReceiveCount": {}}', "SendMessage"),
            *("AQ==", "\u00e9", "String", "Number", "Binary", "٣"),
        ]
    ),
    strategies.text(max_size=20),
)
VALUES = strategies.recursive(
    strategies.one_of(
        TEXTS, strategies.none(), strategies.booleans(), strategies.integers(), strategies.floats()
    ),
    lambda inner: strategies.one_of(
        strategies.lists(inner, max_size=3),
        strategies.dictionaries(strategies.one_of(strategies.sampled_from(FIELDS), TEXTS), inner, max_size=4),
    ),
    max_leaves=8,
)
# Without DeleteQueue, or soon there would be no queue to do anything with.
OPERATIONS = strategies.sampled_from([*sorted(ACTIONS.keys() - {"DeleteQueue"}), "FooBar", ""])
ATTRIBUTES = strategies.fixed_dictionaries(
    {},
    optional={
        "DataType": TEXTS,
        "StringValue": VALUES,
        "BinaryValue": VALUES,
        "StringListValues": VALUES,
        "BinaryListValues": VALUES,
    },
)
MESSAGES = strategies.fixed_dictionaries(
    {"MessageBody": TEXTS},
    optional={
        "Id": TEXTS,
        "DelaySeconds": VALUES,
        "MessageGroupId": TEXTS,
        "MessageDeduplicationId": TEXTS,
        "MessageAttributes": strategies.dictionaries(TEXTS, ATTRIBUTES, max_size=3),
        "MessageSystemAttributes": strategies.dictionaries(
            strategies.sampled_from(["AWSTraceHeader", "SenderId", ""]), ATTRIBUTES, max_size=2
        ),
    },
)
"""Nearly what a client sends, so that it is refused late, or taken."""
PRINTABLE = strategies.characters(min_codepoint=32, max_codepoint=126)
FUZZ = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def endpoint():
    """The host and port of an emulator of our own, so that its queues may become anything."""
    with emulator_process() as running:
        place = urlsplit(running.endpoint)
        yield place.hostname, place.port


@pytest.fixture
def line(endpoint):
    """A connection with the queue "fuzzed" behind it."""
    connection = Line(endpoint)
    connection.ask_json("CreateQueue", {"QueueName": "fuzzed"})
    yield connection
    connection.close()


class Line:
    """One keep-alive connection that writes just what it is told, and reads whole answers."""

    def __init__(self, endpoint):
        self._socket = socket.create_connection(endpoint, timeout=20)
        self._stream = self._socket.makefile("rb")

    def ask(self, head, body=b"", method="POST", path="/"):
        """Send a request, and read the status, the headers and the body of its answer."""
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *head]
        self.write("\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body)
        return self.read()

    def ask_json(self, operation, params):
        body = params if isinstance(params, bytes) else json.dumps(params).encode()
        return self.ask([f"X-Amz-Target: AmazonSQS.{operation}", f"Authorization: {SCOPE}"], body)

    def write(self, raw):
        self._socket.sendall(raw)

    def read(self):
        status = int(self._stream.readline().split()[1])
        headers = {}
        while (header := self._stream.readline().strip()) != b"":
            name, _, value = header.decode("latin-1").partition(": ")
            headers[name.lower()] = value
        return status, headers, self._stream.read(int(headers.get("content-length", 0)))

    def close(self):
        self._stream.close()
        self._socket.close()


def assert_json_answer(status, headers, body):
    assert status in {200, 400, 403, 404}, body
    content = json.loads(body)
    assert headers["x-amzn-requestid"]
    assert headers["content-type"] == "application/x-amz-json-1.0"
    if status != 200:
        assert set(content) == {"__type", "message"}
        assert content["__type"].startswith(("com.amazonaws.sqs#", "com.amazon.coral.service#"))
        assert headers["x-amzn-query-error"].endswith(";Sender")


def assert_query_answer(status, headers, body):
    assert status in {200, 400, 403, 404}, body
    assert headers["x-amzn-requestid"]
    if status != 200 and body != b"<UnknownOperationException/>":
        assert [child.tag.rpartition("}")[2] for child in ET.fromstring(body)] == ["Error", "RequestId"]


@FUZZ
@given(
    OPERATIONS,
    strategies.dictionaries(strategies.sampled_from(NAMES), VALUES, max_size=6),
    strategies.booleans(),
)
@example("AddPermission", {"Label": "a", "Actions": ["*"], "AWSAccountIds": ["1"]}, True)
@example("SendMessage", {"MessageBody": "x", "MessageAttributes": {"a": {"DataType": "String"}}}, True)
def test_json_of_any_kind_is_answered(line, operation, params, with_url):
    params = {**params, "QueueUrl": "fuzzed"} if with_url else params
    params.pop("WaitTimeSeconds", None)

    assert_json_answer(*line.ask_json(operation, params))


@settings(FUZZ, max_examples=50)
@given(strategies.lists(MESSAGES, max_size=4), strategies.sampled_from(["fuzzed", "fuzzed.fifo"]))
def test_messages_of_nearly_any_kind_are_answered(line, messages, queue):
    if queue == "fuzzed.fifo":
        line.ask_json("CreateQueue", {"QueueName": queue, "Attributes": {"FifoQueue": "true"}})
    for message in messages[:2]:
        assert_json_answer(*line.ask_json("SendMessage", {"QueueUrl": queue, **message}))
    assert_json_answer(*line.ask_json("SendMessageBatch", {"QueueUrl": queue, "Entries": messages}))
    everything = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "AttributeNames": ["All"]}
    assert_json_answer(*line.ask_json("ReceiveMessage", {"QueueUrl": queue, **everything}))
    query = "&MessageAttributeName.1=All&AttributeName.1=All&MaxNumberOfMessages=10&VisibilityTimeout=0"
    path = f"/000000000000/{queue}?Action=ReceiveMessage{query}"
    assert_query_answer(*line.ask([f"Authorization: {SCOPE}"], method="GET", path=path))


@FUZZ
@given(strategies.text(PRINTABLE, max_size=40), strategies.binary(max_size=40))
@example("DynamoDB_20120810.ListTables", b"{}")
@example("AmazonSQS.", b"")
def test_targets_of_any_kind_are_answered(line, target, body):
    status, headers, answer = line.ask([f"X-Amz-Target: {target}", f"Authorization: {SCOPE}"], body)

    assert_json_answer(status, headers, answer)
    assert status == 400


@FUZZ
@given(OPERATIONS, strategies.binary(max_size=60))
@example("SendMessage", b"[" * 100_000)
@example("SendMessage", b'{"QueueUrl": "fuzzed", "MessageBody": "\\ud800"}')
@example("SendMessage", b'{"QueueUrl": "fuzzed", "MessageBody": "\xff"}')
def test_bodies_that_are_no_json_are_answered(line, operation, body):
    assert_json_answer(*line.ask_json(operation, body))


QUERY_NAMES = strategies.one_of(
    strategies.sampled_from([*NAMES, "AttributeName", "Attribute.Name", "MessageAttribute.1.Name"]),
    strategies.builds(
        "{}.{}{}".format,
        strategies.sampled_from(
            [
                *("Attribute", "MessageAttribute", "Tag", "TagKey", "AttributeName", "ActionName"),
                *("SendMessageBatchRequestEntry", "DeleteMessageBatchRequestEntry"),
            ]
        ),
        strategies.sampled_from(["1", "0", "9" * 5_000, "x", ""]),
        strategies.sampled_from(
            ["", ".Name", ".Key", ".Value", ".Value.DataType", ".Value.StringValue", ".Id"]
        ),
    ),
    TEXTS,
)


@FUZZ
@given(
    OPERATIONS,
    strategies.dictionaries(QUERY_NAMES, TEXTS, max_size=6),
    strategies.sampled_from(["GET", "POST"]),
    strategies.sampled_from(
        ["/", "/000000000000/fuzzed", "/000000000000/none", "/queue/x/000000000000/fuzzed"]
    ),
)
def test_forms_of_any_kind_are_answered(line, operation, params, method, path):
    form = urlencode({"Action": operation, **params}, errors="replace")
    head = [f"Authorization: {SCOPE}"]
    if method == "GET":
        answer = line.ask(head, method="GET", path=f"{path}?{form[:8_000]}")
    else:
        head.append("Content-Type: application/x-www-form-urlencoded")
        answer = line.ask(head, form.encode(), path=path)

    assert_query_answer(*answer)


@FUZZ
@given(strategies.text(max_size=60), strategies.sampled_from(["Authorization", "X-Amz-Credential"]))
@example("AWS4-HMAC-SHA256 Credential=/////", "Authorization")
@example("AWS4-HMAC-SHA256 Credential=test/20261121/eu-west-1/sqs/aws4_request" * 50, "Authorization")
def test_signatures_of_any_kind_are_taken(line, signature, where):
    value = quote(signature, safe="=/,- ")
    if where == "Authorization":
        answer = line.ask([f"Authorization: {value}"], path="/?Action=ListQueues", method="GET")
    else:
        answer = line.ask([], path=f"/?Action=ListQueues&X-Amz-Credential={quote(signature)}", method="GET")

    assert_query_answer(*answer)


def test_a_huge_body_is_refused_by_its_size(line):
    status, _, body = line.ask_json("SendMessage", {"QueueUrl": "fuzzed", "MessageBody": "x" * 20_000_000})

    assert status == 400
    assert b"Message must be shorter than 1048576 bytes" in body


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: nonsense\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    ],
    ids=["bad chunk", "bad length", "no request", "bad header"],
)
def test_what_is_no_http_gets_a_bad_request(line, raw):
    line.write(raw)

    assert line.read()[0] == 400


@pytest.mark.parametrize(
    "raw",
    [
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{}",
        b"POST / HT",
    ],
    ids=["in a chunk", "in a body", "in the first line"],
)
def test_a_request_that_breaks_off_harms_nobody_else(endpoint, line, raw):
    broken = Line(endpoint)
    broken.write(raw)
    broken.close()

    assert line.ask_json("ListQueues", {})[0] == 200
