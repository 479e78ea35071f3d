"""What is pure in event source mappings: when a batch is full, which records are deleted, which pass."""

from __future__ import annotations

import json

import pytest

from cloudq_emulator.lambda_ import event, filters
from cloudq_emulator.lambda_.batch import PAYLOAD_BYTES, Invoke, Receive, next_step, split, succeeded

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"


def records(*ids: str) -> list[dict[str, str]]:
    return [{"messageId": id_, "receiptHandle": f"handle-{id_}"} for id_ in ids]


def deleted(reply: object, *, failed: bool = False, reports_failures: bool = True) -> list[str]:
    raw = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    done = succeeded(records("a", "b", "c"), raw, failed=failed, reports_failures=reports_failures)
    return [record["messageId"] for record in done]


def failures(*ids: object) -> dict[str, object]:
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in ids]}


def test_empty_batch_waits_long_for_its_first_message():
    assert next_step(0, size=10, window=0, left=0) == Receive(limit=10, wait=20)


def test_batch_without_window_goes_with_what_one_receive_brought():
    assert next_step(1, size=10, window=0, left=0) == Invoke()


def test_batch_with_window_waits_for_the_rest_until_it_closes():
    assert next_step(3, size=10, window=5, left=4.2) == Receive(limit=7, wait=5)
    assert next_step(3, size=10, window=5, left=0) == Invoke()


def test_full_batch_goes_before_its_window_closes():
    assert next_step(10, size=10, window=300, left=299) == Invoke()


def test_large_batch_is_received_in_tens():
    assert next_step(25, size=100, window=60, left=60) == Receive(limit=10, wait=20)
    assert next_step(95, size=100, window=60, left=60) == Receive(limit=5, wait=20)


def test_batch_larger_than_a_payload_is_cut_in_order():
    large = [{"messageId": str(n), "body": "x" * 1_000_000} for n in range(13)]

    parts = list(split(large))

    assert [record["messageId"] for part in parts for record in part] == [str(n) for n in range(13)]
    assert len(parts) == 3
    assert all(len(event.payload(part)) <= PAYLOAD_BYTES for part in parts)


def test_record_larger_than_a_payload_goes_alone():
    assert [len(part) for part in split([{"body": "x" * (PAYLOAD_BYTES + 1)}, {"body": "y"}])] == [1, 1]


@pytest.mark.parametrize("reply", [None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}, b""])
def test_reply_without_failures_deletes_the_whole_batch(reply):
    assert deleted(reply) == ["a", "b", "c"]


def test_reported_failures_stay_and_the_rest_is_deleted():
    assert deleted(failures("b")) == ["a", "c"]


@pytest.mark.parametrize(
    "reply",
    [
        failures(""),
        failures(None),
        failures(7),
        failures(["a"]),
        failures("unknown"),
        failures("a", "unknown"),
        {"batchItemFailures": [{"id": "a"}]},
        {"batchItemFailures": "a"},
        {"batchItemFailures": ["a"]},
        "text",
        [1],
        b"no JSON",
    ],
)
def test_invalid_reply_leaves_the_whole_batch(reply):
    assert deleted(reply) == []


def test_without_partial_responses_any_success_deletes_all():
    assert deleted(failures("b"), reports_failures=False) == ["a", "b", "c"]
    assert deleted("whatever", reports_failures=False) == ["a", "b", "c"]


def test_function_error_leaves_the_whole_batch():
    assert deleted({}, failed=True) == []
    assert deleted({}, failed=True, reports_failures=False) == []


def test_record_has_the_shape_of_lambdas_sqs_event():
    message = {
        "MessageId": "id-1",
        "ReceiptHandle": "handle",
        "Body": '{"n": 1}',
        "MD5OfBody": "digest",
        "MD5OfMessageAttributes": "digest-2",
        "Attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1"},
        "MessageAttributes": {
            "name": {"DataType": "String", "StringValue": "n"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
            "text": {"DataType": "Binary", "BinaryValue": "AAE="},
        },
    }

    assert event.record(message, QUEUE) == {
        "messageId": "id-1",
        "receiptHandle": "handle",
        "body": '{"n": 1}',
        "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "1"},
        "messageAttributes": {
            "name": {
                "stringValue": "n",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
            "raw": {
                "binaryValue": "AAE=",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
            "text": {
                "binaryValue": "AAE=",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
        },
        "md5OfMessageAttributes": "digest-2",
        "md5OfBody": "digest",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE,
        "awsRegion": "eu-west-1",
    }


@pytest.mark.parametrize(
    ("body", "pattern", "is_through"),
    [
        ('{"task": "shop.send"}', {"body": {"task": ["shop.send"]}}, True),
        ('{"task": "shop.other"}', {"body": {"task": ["shop.send"]}}, False),
        ('{"task": "shop.send"}', {"body": {"task": [{"prefix": "shop."}]}}, True),
        ('{"n": 5}', {"body": {"n": [{"numeric": [">", 3]}]}}, True),
        ("plain", {"body": {"task": ["shop.send"]}}, False),
        ("plain", {"body": ["plain"]}, True),
        ('{"n": 1}', {"body": ['{"n": 1}']}, False),
        ("whatever", {"messageAttributes": {"kind": {"stringValue": ["a"]}}}, True),
        ("whatever", {"messageAttributes": {"kind": {"stringValue": ["b"]}}}, False),
    ],
)
def test_filter_selects_by_body_and_attributes(body, pattern, is_through):
    record = {"body": body, "messageAttributes": {"kind": {"stringValue": "a", "dataType": "String"}}}

    assert filters.passes(record, [json.dumps(pattern)]) is is_through


def test_any_of_several_filters_is_enough_and_none_lets_all_through():
    record = {"body": '{"n": 1}', "messageAttributes": {}}

    assert filters.passes(record, ['{"body": {"n": [2]}}', '{"body": {"n": [1]}}'])
    assert filters.passes(record, [])
