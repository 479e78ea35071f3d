"""Each request of the lean transport is, byte by byte, the one that boto3 would make."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st

from cloudq.brokers.sqs.boto import BotoTransport
from cloudq.brokers.sqs.lean.credentials import EnvironmentCredentials
from cloudq.brokers.sqs.lean.places import Place
from cloudq.brokers.sqs.lean.signing import Credentials, Signer
from cloudq.brokers.sqs.lean.transport import LeanTransport
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.urls import SqsUrl
from cloudq.clock import FakeClock
from tests.http_server import http_server

NOW = 1_800_000_000.0
UNSIGNED = {"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "content-length", "host",
            "accept-encoding", "connection"}  # fmt: skip
"""What a request may say beside what is signed; `Host` is signed, and botocore leaves it to urllib3."""

QUEUE = "http://localhost:4566/000000000000/shop-emails"
REQUESTS = [
    ("GetQueueUrl", {"QueueName": "shop-emails"}),
    ("CreateQueue", {"QueueName": "shop-emails", "Attributes": {"VisibilityTimeout": "60"}}),
    ("GetQueueAttributes", {"QueueUrl": QUEUE, "AttributeNames": ["QueueArn"]}),
    (
        "SendMessageBatch",
        {
            "QueueUrl": QUEUE,
            "Entries": [
                {
                    "Id": "0",
                    "MessageBody": '{"v":1,"args":["Grüße 🚀 \\" \\\\ </script>"]}',
                    "MessageAttributes": {"colour": {"DataType": "String", "StringValue": "grün"}},
                    "MessageSystemAttributes": {
                        "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}
                    },
                    "DelaySeconds": 3,
                    "MessageDeduplicationId": "d",
                    "MessageGroupId": "g",
                },
                {"Id": "1", "MessageBody": "two\nlines\tand\x7f"},
            ],
        },
    ),
    (
        "ReceiveMessage",
        {
            "QueueUrl": QUEUE,
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": 60,
            "WaitTimeSeconds": 20,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
            "MessageAttributeNames": ["All"],
            "ReceiveRequestAttemptId": "a-1",
        },
    ),
    ("DeleteMessageBatch", {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "AQEB+/="}]}),
    (
        "ChangeMessageVisibilityBatch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "AQEB", "VisibilityTimeout": 0}]},
    ),
    ("ListQueues", {"MaxResults": 1000, "QueueNamePrefix": "shop-"}),
    ("PurgeQueue", {"QueueUrl": QUEUE}),
]


@pytest.fixture(scope="module")
def server():
    with http_server() as server:
        yield server


@pytest.fixture(params=[None, "to//ken+="], ids=["key", "session"])
def environment(request, monkeypatch):
    values = {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        "AWS_DEFAULT_REGION": "eu-central-1",
        **({"AWS_SESSION_TOKEN": request.param} if request.param else {}),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


def by_boto3(monkeypatch, server, operation, params):
    """What boto3 would send."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: datetime.fromtimestamp(NOW, UTC))
    boto = BotoTransport(SqsUrl(endpoint=server.endpoint))
    requests = []

    class Raw:
        def stream(self):
            yield b"{}"

    def keep(request, **_):
        requests.append(request)
        return AWSResponse(request.url, 200, {}, Raw())

    boto._client().meta.events.register("before-send.sqs", keep)
    boto.call(operation, **params)
    boto.close()
    (request,) = requests
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in request.headers.items()
    }
    return request.method, headers, request.body


@pytest.mark.parametrize(("operation", "params"), REQUESTS, ids=[name for name, _ in REQUESTS])
def test_a_request_and_its_signature_are_boto3s(monkeypatch, server, environment, operation, params):
    method, headers, body = by_boto3(monkeypatch, server, operation, params)
    place = Place(server.endpoint, "eu-central-1", EnvironmentCredentials(environment.get))
    lean = LeanTransport(place, Names(""), FakeClock(NOW))

    lean.call(operation, **params)

    lean.close()
    asked = server.asked[-1]
    assert (asked.method, asked.path, asked.body) == (method, "/", body)
    assert meant(asked.headers) == meant(headers)
    assert asked.headers["host"] == server.endpoint.removeprefix("http://")


def meant(headers):
    return {name: value for name, value in headers.items() if name not in UNSIGNED}


@given(st.data())
def test_a_kept_signing_key_is_the_one_that_would_be_made_anew(data):
    people = [Credentials("A", "secret-a"), Credentials("A", "secret-b"), Credentials("A", "secret-a", "t")]
    kept = Signer("sqs.eu-west-1.amazonaws.com", "eu-west-1")

    for _ in range(4):
        who = data.draw(st.sampled_from(people))
        now = data.draw(st.sampled_from([NOW, NOW + 1, NOW + 86_400]))
        fresh = Signer("sqs.eu-west-1.amazonaws.com", "eu-west-1")
        assert kept.headers("X", b"{}", who, now) == fresh.headers("X", b"{}", who, now)


def test_credentials_never_show_their_secret():
    assert "secret" not in repr(Credentials("AKID", "secret-a", "secret-token"))
