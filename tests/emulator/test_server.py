"""The server around the services: routing, moto's neighbours, the control API, HTTP's finer points."""

from __future__ import annotations

import json
import socket
import time
import urllib.parse
from datetime import datetime

import pytest

ACCOUNT = "000000000000"


@pytest.fixture
def raw(running_emulator, emulator):
    """A plain connection to the emulator."""
    address = urllib.parse.urlsplit(emulator.endpoint)
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as connection:
        yield connection


def read_response(stream):
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    return status, headers, stream.read(int(headers.get("content-length", 0)))


def json_request(operation, params):
    body = json.dumps(params).encode()
    target = f"X-Amz-Target: AmazonSQS.{operation}"
    head = f"POST / HTTP/1.1\r\nHost: here\r\n{target}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def test_health_says_that_it_is_up(emulator):
    assert emulator.control("GET", "/_cloudq/health") == (200, {"status": "up", "waiting": 0})
    assert emulator.control("GET", "/_localstack/health")[1]["services"]["sqs"] == "running"


def test_requests_are_counted_until_the_count_is_cleared(emulator, sqs):
    url = sqs.create_queue(QueueName="counted")["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="none")
    emulator.client("sts").get_caller_identity()

    rows = emulator.control("GET", "/_cloudq/requests")[1]["requests"]

    assert rows == [
        {"service": "sqs", "operation": "CreateQueue", "queue": "counted", "status": 200, "count": 1},
        {"service": "sqs", "operation": "GetQueueUrl", "queue": "", "status": 400, "count": 1},
        {"service": "sqs", "operation": "SendMessage", "queue": "counted", "status": 200, "count": 3},
        {"service": "sts", "operation": "GetCallerIdentity", "queue": "", "status": 200, "count": 1},
    ]
    assert emulator.control("DELETE", "/_cloudq/requests") == (200, {"requests": []})
    assert emulator.control("GET", "/_cloudq/requests") == (200, {"requests": []})


def test_a_reset_empties_our_queues_and_motos_services(emulator, sqs):
    sqs.create_queue(QueueName="old")
    emulator.client("s3", region="us-east-1").create_bucket(Bucket="old-bucket")
    emulator.clock(advance=3600)

    assert emulator.control("POST", "/moto-api/reset")[0] == 200

    assert "QueueUrls" not in sqs.list_queues()
    assert emulator.client("s3", region="us-east-1").list_buckets()["Buckets"] == []
    sqs.create_queue(QueueName="old")


def test_a_peek_shows_messages_and_takes_none(emulator, sqs):
    url = sqs.create_queue(QueueName="seen")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="ready")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=60)

    status, answer = emulator.control("GET", "/_cloudq/queues/seen/messages")

    assert status == 200
    assert [(one["body"], one["state"]) for one in answer["messages"]] == [
        ("ready", "ready"),
        ("later", "delayed"),
    ]
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1
    assert emulator.control("GET", "/_cloudq/queues/none/messages")[0] == 404


def test_a_peek_takes_the_queue_of_the_account_and_region_that_are_named(emulator):
    for region, key in [("eu-west-1", "111122223333"), ("eu-west-1", "test"), ("us-east-1", "test")]:
        emulator.client("sqs", region=region, key=key).create_queue(QueueName="twin")

    def peek(query):
        return emulator.control("GET", f"/_cloudq/queues/twin/messages{query}")

    assert peek("")[1]["queue"] == f"arn:aws:sqs:eu-west-1:{ACCOUNT}:twin"
    assert peek("?region=us-east-1")[1]["queue"] == f"arn:aws:sqs:us-east-1:{ACCOUNT}:twin"
    assert peek("?account=111122223333")[1]["queue"] == "arn:aws:sqs:eu-west-1:111122223333:twin"
    assert peek("?account=111122223333&region=us-east-1") == (
        404,
        {"error": "There is no queue twin 111122223333 us-east-1."},
    )


def test_the_clock_advances_sets_freezes_and_scales(emulator):
    assert emulator.clock(freeze=True)["frozen"] is True
    assert emulator.clock(set="2030-01-01T00:00:00Z")["now"] == "2030-01-01T00:00:00Z"
    assert emulator.clock(advance=1.5)["now"] == "2030-01-01T00:00:01.500000Z"
    assert emulator.clock(scale=10)["scale"] == 10
    assert emulator.control("GET", "/_cloudq/clock")[1]["now"] == "2030-01-01T00:00:01.500000Z"
    assert emulator.clock(freeze=False)["frozen"] is False


@pytest.mark.parametrize(
    "order",
    [
        *({}, [], [1], "x", {"advance": -1}, {"advance": True}, {"advance": 1e12}, {"advance": 1e300}),
        *({"set": "soon"}, {"set": "1969-01-01T00:00:00Z"}, {"set": "9999-12-31T23:59:59Z"}),
        *({"scale": 0}, {"scale": 1e308}, {"freeze": 1}, {"freeze": True, "advance": 1}),
    ],
)
def test_the_clock_refuses_what_it_does_not_understand_and_stays(emulator, order):
    status, answer = emulator.control("POST", "/_cloudq/clock", order)

    assert status == 400
    assert "advance (seconds)" in answer["error"]
    shown = emulator.control("GET", "/_cloudq/clock")[1]
    assert abs(datetime.fromisoformat(shown["now"]).timestamp() - time.time()) < 10
    assert (shown["frozen"], shown["scale"]) == (False, 1.0)


def test_health_answers_those_who_ask_for_the_head_alone(raw):
    raw.sendall(b"HEAD /_cloudq/health HTTP/1.1\r\nConnection: close\r\n\r\n")

    with raw.makefile("rb") as stream:
        assert stream.read().startswith(b"HTTP/1.1 200 OK")


def test_timestamps_in_answers_follow_the_clock(emulator, sqs):
    emulator.clock(freeze=True)
    emulator.clock(set="2030-01-01T00:00:00Z")
    url = sqs.create_queue(QueueName="later")["QueueUrl"]

    sqs.send_message(QueueUrl=url, MessageBody="x")

    (message,) = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["SentTimestamp"])["Messages"]
    assert message["Attributes"]["SentTimestamp"] == "1893456000000"


def test_unknown_control_paths_are_404(emulator):
    assert emulator.control("GET", "/_cloudq/none")[0] == 404


def test_sns_publishes_into_our_queues(emulator, sqs):
    url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    sns = emulator.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:eu-west-1:{ACCOUNT}:subscriber", Attributes=raw
    )

    sns.publish(
        TopicArn=topic, Message="hello", MessageAttributes={"a": {"DataType": "String", "StringValue": "x"}}
    )

    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"])[
        "Messages"
    ]
    assert message["Body"] == "hello"
    assert message["MessageAttributes"] == {"a": {"DataType": "String", "StringValue": "x"}}


def test_events_and_bucket_notifications_arrive_in_our_queues(emulator, sqs):
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:events"
    events = emulator.client("events")
    events.put_rule(Name="rule", EventPattern='{"source": ["shop"]}')
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": '{"n": 1}'}])
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"])["detail"] == {"n": 1}

    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration=configuration)
    s3.put_object(Bucket="uploads", Key="a.txt", Body=b"x")
    test_event, event = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(test_event["Body"])["Event"] == "s3:TestEvent"
    assert json.loads(event["Body"])["Records"][0]["s3"]["object"]["key"] == "a.txt"


def test_cloudformation_makes_changes_and_deletes_our_queues(emulator, sqs):
    cloudformation = emulator.client("cloudformation")
    dead = {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}}
    redrive = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 5}
    properties = {"QueueName": "made", "VisibilityTimeout": 70, "RedrivePolicy": redrive}
    template = {
        "Resources": {"Dead": dead, "Made": {"Type": "AWS::SQS::Queue", "Properties": properties}},
        "Outputs": {"Url": {"Value": {"Ref": "Made"}}},
    }

    cloudformation.create_stack(StackName="stack", TemplateBody=json.dumps(template))
    url = sqs.get_queue_url(QueueName="made")["QueueUrl"]
    outputs = cloudformation.describe_stacks(StackName="stack")["Stacks"][0]["Outputs"]
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert outputs[0]["OutputValue"] == url
    assert got["VisibilityTimeout"] == "70"
    assert json.loads(got["RedrivePolicy"])["maxReceiveCount"] == 5

    del properties["VisibilityTimeout"]
    properties["DelaySeconds"] = 3
    cloudformation.update_stack(StackName="stack", TemplateBody=json.dumps(template))
    got = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (got["VisibilityTimeout"], got["DelaySeconds"]) == ("30", "3")

    cloudformation.delete_stack(StackName="stack")
    assert "QueueUrls" not in sqs.list_queues()
    cloudformation.create_stack(StackName="stack", TemplateBody=json.dumps(template))
    assert sqs.get_queue_url(QueueName="made")["QueueUrl"] == url


def test_objects_go_through_whole(emulator):
    s3 = emulator.client("s3", region="us-east-1")
    s3.create_bucket(Bucket="bucket")
    content = bytes(range(256)) * 8192

    s3.put_object(Bucket="bucket", Key="dir/a b%+ü", Body=content, Metadata={"with_underscore": "1"})

    assert s3.get_object(Bucket="bucket", Key="dir/a b%+ü")["Body"].read() == content
    head = s3.head_object(Bucket="bucket", Key="dir/a b%+ü")
    assert head["ContentLength"] == len(content)
    assert head["Metadata"] == {"with_underscore": "1"}


def test_pipelined_requests_are_answered_in_order(raw):
    requests = [json_request("CreateQueue", {"QueueName": "piped"})]
    requests.append(json_request("ReceiveMessage", {"QueueUrl": "piped", "WaitTimeSeconds": 1}))
    requests.append(json_request("SendMessage", {"QueueUrl": "piped", "MessageBody": "x"}))
    raw.sendall(b"".join(requests))

    with raw.makefile("rb") as stream:
        answers = [read_response(stream) for _ in requests]

    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert b"QueueUrl" in answers[0][2]
    assert answers[1][2] == b"{}"
    assert b"MessageId" in answers[2][2]


def test_a_client_that_goes_away_ends_its_long_poll(emulator, raw):
    raw.sendall(json_request("CreateQueue", {"QueueName": "left"}))
    raw.sendall(json_request("ReceiveMessage", {"QueueUrl": "left", "WaitTimeSeconds": 20}))
    emulator.wait_for_polls(1)
    raw.close()

    emulator.wait_for_polls(0)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (json_request("NoSuchThing", {}), 400),
        (json_request("SendMessage", [])[:-2] + b"[]", 400),
        (json_request("SendMessage", "x")[:-3] + b"{x}", 400),
    ],
)
def test_what_cannot_be_read_is_refused(raw, request_, status):
    raw.sendall(request_)

    with raw.makefile("rb") as stream:
        assert read_response(stream)[0] == status


TARGET = b"X-Amz-Target: AmazonSQS.ListQueues\r\n"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (b"HELLO\r\n\r\n", b"Invalid method"),
        (b"POST / HTTP/1.1\r\n" + TARGET + b"Content-Length: x\r\n\r\n{}", b"Content-Length"),
        (b"POST / HTTP/1.1\r\n" + TARGET + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}", b"chunk size"),
        (b"POST / HTTP/1.1\r\n" + TARGET + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}", b"in the middle"),
        (b"POST / HTTP/1.1\r\n" + TARGET + b"Content-Length: 9\r\n\r\n{}", b"in the middle"),
        (b"GET / HTTP/1.1\r\nHost: he", b"in the middle"),
        (b"GET / HTTP/1.1\r\nX: " + 1_048_600 * b"a", b"longer than 1048576 bytes"),
    ],
)
def test_what_is_no_http_gets_an_error_of_sqs_and_is_hung_up_on(emulator, raw, request_, reason):
    raw.sendall(request_)
    raw.shutdown(socket.SHUT_WR)

    with raw.makefile("rb") as stream:
        status, headers, body = read_response(stream)
        assert stream.read() == b""

    assert status == 400
    assert reason in body
    if TARGET in request_:
        assert headers["x-amzn-query-error"] == "MalformedInput;Sender"
        assert json.loads(body)["__type"] == "com.amazon.coral.service#SerializationException"
    else:
        assert b"<Code>MalformedInput</Code>" in body
    assert emulator.control("GET", "/_cloudq/health")[0] == 200


def test_a_client_that_asks_for_another_protocol_is_answered_in_this_one(raw):
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    health = b"GET /_cloudq/health HTTP/1.1\r\nHost: here\r\n" + wish + b"\r\n"
    send = json_request("CreateQueue", {"QueueName": "upgraded"}).replace(b"Host: here\r\n", wish)

    raw.sendall(health + send + health)

    with raw.makefile("rb") as stream:
        answers = [read_response(stream) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert b"QueueUrl" in answers[1][2]


def test_many_repeated_headers_are_joined_in_no_time(raw):
    headers = b"".join(b"X-%d: a\r\n" % (number % 5_000) for number in range(30_000))

    raw.sendall(b"GET /_cloudq/health HTTP/1.1\r\n" + headers + b"\r\n")

    with raw.makefile("rb") as stream:
        assert read_response(stream)[0] == 200


def test_a_refusal_names_the_error_for_both_kinds_of_sdk(raw):
    raw.sendall(json_request("GetQueueUrl", {"QueueName": "none"}))

    with raw.makefile("rb") as stream:
        status, headers, body = read_response(stream)

    assert status == 400
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert len(headers["x-amzn-requestid"]) == 36
    assert json.loads(body) == {
        "__type": "com.amazonaws.sqs#QueueDoesNotExist",
        "message": "The specified queue does not exist.",
    }


def test_a_client_may_ask_to_go_on_or_to_close(raw):
    headers = b"Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
    raw.sendall(b"POST /_cloudq/clock HTTP/1.1\r\n" + headers)
    with raw.makefile("rb") as stream:
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        stream.readline()
        raw.sendall(b"{}")
        status, headers, _ = read_response(stream)

        assert status == 400
        assert headers["connection"] == "close"
        assert stream.read() == b""
