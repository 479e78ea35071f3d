"""Faults that are ordered over the control API, and whom they strike."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.parse

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.exceptions import ConnectionError as NoConnectionError

from cloudq_emulator.faults import FaultError, Faults

LOST = (ConnectionClosedError, NoConnectionError)


@pytest.fixture
def order(emulator):
    def order(kind, **fields):
        status, answer = emulator.control("POST", "/_cloudq/faults", {"kind": kind, **fields})
        assert status == 200, answer
        return answer["id"]

    return order


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="queue")["QueueUrl"]


def shown(emulator):
    return emulator.control("GET", "/_cloudq/faults")[1]["faults"]


def send(sqs, queue, *bodies):
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)


def bodies(sqs, queue, **options):
    answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, **options)
    return [message["Body"] for message in answer.get("Messages", ())]


def test_a_throttled_request_is_refused_and_not_done(emulator, sqs, queue, order):
    order("throttle", service="sqs", operation="SendMessage", count=1)

    with pytest.raises(ClientError) as refused:
        send(sqs, queue, "x")
    send(sqs, queue, "y")

    assert refused.value.response["Error"]["Code"] == "RequestThrottled"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert bodies(sqs, queue) == ["y"]
    row = {"service": "sqs", "operation": "SendMessage", "queue": "queue", "status": 400, "count": 1}
    assert row in emulator.control("GET", "/_cloudq/requests")[1]["requests"]


@pytest.mark.parametrize(
    ("status", "code"), [(None, "InternalFailure"), (503, "ServiceUnavailable"), (403, "AccessDenied")]
)
def test_an_error_has_the_status_that_was_ordered(sqs, queue, order, status, code):
    order("error", status=status)

    with pytest.raises(ClientError) as refused:
        send(sqs, queue, "x")

    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status or 500
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("service", "ask", "code"),
    [
        ("sns", lambda client: client.list_topics(), "Throttling"),
        ("s3", lambda client: client.list_objects(Bucket="b"), "SlowDown"),
        ("dynamodb", lambda client: client.list_tables(), "ThrottlingException"),
        ("lambda", lambda client: client.list_functions(), "TooManyRequestsException"),
    ],
)
def test_every_service_is_throttled_in_its_own_words(emulator, order, service, ask, code):
    order("throttle", service=service)

    with pytest.raises(ClientError) as refused:
        ask(emulator.client(service))

    assert refused.value.response["Error"]["Code"] == code


def test_a_query_request_is_refused_in_xml(emulator, order):
    order("throttle", queue="queue")
    address = urllib.parse.urlsplit(emulator.endpoint)
    with socket.create_connection(("127.0.0.1", address.port), timeout=10) as connection:
        connection.sendall(b"GET /000000000000/queue?Action=PurgeQueue HTTP/1.0\r\n\r\n")
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"<Code>RequestThrottled</Code>" in answer


def test_a_late_request_is_done_late(sqs, queue, order):
    order("latency", seconds=0.3, operation="SendMessage")
    started = time.monotonic()

    send(sqs, queue, "x")

    assert time.monotonic() - started >= 0.3
    assert bodies(sqs, queue) == ["x"]


def test_a_reset_request_is_not_done(emulator, sqs, queue, order):
    order("reset", operation="SendMessage", count=1)

    with pytest.raises(LOST):
        send(sqs, queue, "x")

    assert bodies(sqs, queue) == []
    row = {"service": "sqs", "operation": "SendMessage", "queue": "queue", "status": 0, "count": 1}
    assert row in emulator.control("GET", "/_cloudq/requests")[1]["requests"]


def test_a_request_whose_response_is_lost_is_done(sqs, queue, order):
    order("lost_response", operation="SendMessage", count=1)

    with pytest.raises(LOST):
        send(sqs, queue, "x")

    assert bodies(sqs, queue) == ["x"]


def test_what_a_lost_long_poll_received_is_leased(emulator, sqs, queue, order):
    order("lost_response", operation="ReceiveMessage", count=1)
    lost = []

    def poll():
        with pytest.raises(LOST):
            bodies(sqs, queue, WaitTimeSeconds=20)
        lost.append(True)

    thread = threading.Thread(target=poll)
    thread.start()
    emulator.wait_for_polls(1)
    send(sqs, queue, "x")
    thread.join(timeout=10)

    assert lost == [True]
    assert bodies(sqs, queue) == []
    emulator.clock(advance=30)
    assert bodies(sqs, queue) == ["x"]


def test_a_part_of_a_batch_fails_through_no_fault_of_the_sender(sqs, queue, order):
    order("partial", operation="SendMessageBatch", count=1, seed=7)
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(10)]

    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)

    done = [entry["Id"] for entry in answer.get("Successful", ())]
    failed = [entry["Id"] for entry in answer["Failed"]]
    assert {entry["SenderFault"] for entry in answer["Failed"]} == {False}
    assert sorted(done + failed) == [entry["Id"] for entry in entries]
    assert sorted(bodies(sqs, queue)) == sorted(done)
    assert len(sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 10


def test_a_batch_of_which_all_fails_is_no_empty_batch(sqs, queue, order):
    order("partial", seed=1)

    answer = sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "a"}])

    assert [entry["Id"] for entry in answer["Failed"]] == ["a"]
    assert "Successful" not in answer


def test_a_duplicate_comes_again_though_the_first_was_deleted(sqs, queue, order):
    send(sqs, queue, "x")
    order("duplicate", count=1)

    (first,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
    (second,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second["ReceiptHandle"])

    assert first["MessageId"] == second["MessageId"]
    assert bodies(sqs, queue) == []


def test_a_fifo_queue_neither_duplicates_nor_reorders(sqs, order):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName="queue.fifo", Attributes=attributes)["QueueUrl"]
    order("duplicate")
    order("reorder")
    for number in range(10):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number), MessageGroupId="group")

    assert bodies(sqs, queue) == [str(number) for number in range(10)]
    assert bodies(sqs, queue) == []


def test_messages_come_in_another_order(sqs, queue, order):
    order("reorder", seed=3)
    sent = [str(number) for number in range(10)]
    send(sqs, queue, *sent)

    received = bodies(sqs, queue)

    assert received != sent
    assert sorted(received) == sent


def test_leases_that_are_held_end_at_once(emulator, sqs, queue, order):
    send(sqs, queue, "x", "y")
    assert len(bodies(sqs, queue)) == 2

    order("expire_lease", queue="queue")

    assert sorted(bodies(sqs, queue)) == ["x", "y"]
    assert bodies(sqs, queue) == []
    assert shown(emulator)[0]["hits"] == 1


def test_where_none_is_held_the_next_lease_ends_at_once(sqs, queue, order):
    order("expire_lease")
    send(sqs, queue, "x")

    assert bodies(sqs, queue) == ["x"]
    assert bodies(sqs, queue) == ["x"]
    assert bodies(sqs, queue) == []


def test_a_long_poll_is_struck_like_any_receive(emulator, sqs, queue, order):
    received = []
    thread = threading.Thread(target=lambda: received.extend(bodies(sqs, queue, WaitTimeSeconds=20)))
    thread.start()
    emulator.wait_for_polls(1)
    order("duplicate", count=1)
    send(sqs, queue, "x")
    thread.join(timeout=10)

    assert received == ["x"]
    assert bodies(sqs, queue) == ["x"]


def test_faults_strike_those_alone_whom_they_are_meant_for(emulator, sqs, queue, order):
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    order("error", queue="que*", operation="Send*")

    send(sqs, other, "x")
    assert bodies(sqs, queue) == []
    emulator.client("sts").get_caller_identity()
    with pytest.raises(ClientError):
        send(sqs, queue, "x")


def test_a_fault_is_over_once_it_has_struck_as_often_as_ordered(emulator, sqs, queue, order):
    id_ = order("error", count=2, operation="SendMessage", seed=1)
    for _ in range(2):
        with pytest.raises(ClientError):
            send(sqs, queue, "x")
    send(sqs, queue, "x")

    assert shown(emulator) == [
        {
            "id": id_,
            "kind": "error",
            "operation": "SendMessage",
            "count": 2,
            "probability": 1.0,
            "seed": 1,
            "hits": 2,
        }
    ]


def test_faults_are_taken_away_one_by_one_or_all(emulator, sqs, queue, order):
    first, second = order("error"), order("throttle")

    assert emulator.control("DELETE", f"/_cloudq/faults/{first}") == (200, {})
    assert [fault["id"] for fault in shown(emulator)] == [second]
    assert emulator.control("DELETE", f"/_cloudq/faults/{first}")[0] == 404
    assert emulator.control("DELETE", "/_cloudq/faults") == (200, {"faults": []})
    send(sqs, queue, "x")


def test_a_reset_takes_faults_away(emulator, order):
    order("error")

    emulator.control("POST", "/_cloudq/reset")

    assert shown(emulator) == []


def test_the_same_seed_strikes_the_same_requests():
    def struck(**fields):
        fault = Faults().add({"kind": "error", "probability": 0.3, **fields})
        return [fault.strikes() for _ in range(200)], fault.seed

    first, seed = struck()

    assert 20 < sum(first) < 100
    assert struck(seed=seed) == (first, seed)
    assert struck(seed=seed + 1)[0] != first


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ([], "A fault is a JSON object"),
        ({}, "kind must be one of throttle, error"),
        ({"kind": "flood"}, "not 'flood'"),
        ({"kind": "error", "queues": "a"}, "error takes count, kind, .*; not 'queues'"),
        ({"kind": "throttle", "seconds": 1}, "not 'seconds'"),
        ({"kind": "error", "queue": 1}, "queue must be a text"),
        ({"kind": "error", "count": 0}, "count must be an integer >= 1, not 0"),
        ({"kind": "error", "count": True}, "count must be an integer"),
        ({"kind": "error", "probability": 1.5}, "probability must be a number > 0 and <= 1"),
        ({"kind": "latency", "seconds": -1}, "seconds must be a number of seconds >= 0"),
        ({"kind": "error", "status": 200}, "status must be an HTTP status from 400 to 599"),
        ({"kind": "error", "seed": "x"}, "seed must be an integer"),
        ({"kind": "partial", "operation": "SendMessage"}, "partial strikes .*SendMessageBatch"),
        ({"kind": "reorder", "service": "s3"}, "reorder strikes SQS only"),
        ({"kind": "kill_function", "service": "sqs"}, "kill_function strikes Lambda only"),
        (
            {"kind": "error", "service": "sqs", "operation": "SendMesage"},
            "no operation SendMesage; did you mean SendMessage",
        ),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_says_why(order, reason):
    with pytest.raises(FaultError, match=reason):
        Faults().add(order)


def test_a_refused_order_is_answered_with_the_reason(emulator):
    status, answer = emulator.control("POST", "/_cloudq/faults", {"kind": "flood"})

    assert status == 400
    assert "kind must be one of" in answer["error"]
    assert json.dumps(shown(emulator)) == "[]"


@pytest.fixture
def function(emulator):
    """A function that says in a queue that it runs, and then waits to be killed; or answers at once."""
    source = """
import boto3, threading
def handler(event, context):
    if event.get("quick"):
        return "done"
    boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody="running")
    threading.Event().wait()
"""
    lambda_ = emulator.create_function("orders", source, Timeout=30)

    def invoke(**event):
        answer = lambda_.invoke(FunctionName="orders", Payload=json.dumps(event))
        return json.load(answer["Payload"])

    return invoke


def test_a_function_that_runs_is_killed(sqs, queue, order, function):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(function(queue=queue)))
    thread.start()
    assert bodies(sqs, queue, WaitTimeSeconds=20) == ["running"]

    order("kill_function", function="orders")
    thread.join(timeout=10)

    assert answers[0]["errorMessage"] == "Runtime exited with signal: SIGKILL"
    assert function(quick=True) == "done"


def test_where_none_runs_the_next_to_run_is_killed(emulator, function, order):
    order("kill_function", function="other")
    assert function(quick=True) == "done"
    order("kill_function", function="ord*", count=1)

    assert function(quick=True)["errorType"] == "Runtime.ExitError"
    assert function(quick=True) == "done"
    assert [fault["hits"] for fault in shown(emulator)] == [0, 1]
