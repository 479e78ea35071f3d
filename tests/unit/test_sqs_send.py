from __future__ import annotations

import re

import pytest

from cloudq.brokers.sqs.transport import AnswerLostError
from cloudq.delivery import NotSent, Outgoing, Sent, Unknown
from cloudq.errors import BrokerUnavailableError, MessageTooLargeError, QueueNotFoundError
from tests.scripted_sqs import HastyClock, ScriptedSqs, failing

MEBIBYTE = 1024 * 1024


def outgoing(number, body=b"{}", **fields):
    return Outgoing(f"id-{number}", body, **fields)


def test_messages_travel_in_batches_of_ten():
    aws = ScriptedSqs()

    answers = aws.broker().send("q", [outgoing(number) for number in range(23)])

    assert answers == [Sent()] * 23
    assert [len(batch) for batch in aws.entries("SendMessageBatch")] == [10, 10, 3]


def test_batches_are_packed_by_bytes_with_attributes_counted():
    aws = ScriptedSqs()
    halves = [outgoing(number, b"x" * (MEBIBYTE // 2)) for number in range(4)]
    with_attribute = [outgoing(9, b"x" * (MEBIBYTE // 2 - 8), attributes={"a": "b"})]

    aws.broker().send("q", halves + with_attribute)

    assert [len(batch) for batch in aws.entries("SendMessageBatch")] == [2, 2, 1]


def test_a_queue_is_asked_for_its_url_once():
    aws = ScriptedSqs()
    broker = aws.broker(prefix="shop-")

    for number in range(3):
        broker.send("q", [outgoing(number)])

    assert aws.asked("GetQueueUrl") == [{"QueueName": "shop-q"}]


def test_only_what_failed_is_sent_again_and_only_where_the_sender_is_not_at_fault():
    aws = ScriptedSqs(
        SendMessageBatch=[
            failing({"1", "2"}),
            failing({"2"}),
        ]
    )
    scripted = aws._answers["SendMessageBatch"]
    aws._answers["SendMessageBatch"] = lambda params: (step := next(scripted, None)) and step(params)
    clock = HastyClock()

    answers = aws.broker(clock).send("q", [outgoing(number) for number in range(4)])

    assert answers == [Sent()] * 4
    sent = [[entry["Id"] for entry in batch] for batch in aws.entries("SendMessageBatch")]
    assert sent == [["0", "1", "2", "3"], ["1", "2"], ["2"]]
    assert clock.monotonic() > 0


def test_what_keeps_failing_is_reported_as_not_sent():
    aws = ScriptedSqs(SendMessageBatch=failing({"1"}))

    answers = aws.broker().send("q", [outgoing(number) for number in range(3)])

    assert answers == [Sent(), NotSent("InternalError: 1 failed.", retryable=True), Sent()]
    assert len(aws.asked("SendMessageBatch")) == 3


def test_what_is_the_senders_fault_is_not_tried_again():
    aws = ScriptedSqs(SendMessageBatch=failing({"0"}, code="InvalidMessageContents", is_ours=True))

    (answer,) = aws.broker().send("q", [outgoing(0)])

    assert answer == NotSent("InvalidMessageContents: 0 failed.", retryable=False)
    assert len(aws.asked("SendMessageBatch")) == 1


def test_a_lost_answer_makes_the_outcome_unknown():
    aws = ScriptedSqs(SendMessageBatch=[None, AnswerLostError("timed out")])

    answers = aws.broker().send("q", [outgoing(number) for number in range(12)])

    assert answers == [Sent()] * 10 + [Unknown("timed out")] * 2


def test_an_entry_that_the_answer_does_not_mention_is_unknown():
    aws = ScriptedSqs(SendMessageBatch=lambda _: {"Successful": [{"Id": "0"}]})

    answers = aws.broker().send("q", [outgoing(number) for number in range(2)])

    assert answers[0] == Sent()
    assert isinstance(answers[1], Unknown)


def test_when_nothing_could_be_sent_the_broker_is_unavailable():
    aws = ScriptedSqs(SendMessageBatch=lambda _: BrokerUnavailableError("down"))

    with pytest.raises(BrokerUnavailableError, match="down"):
        aws.broker().send("q", [outgoing(number) for number in range(12)])


def test_when_a_part_was_sent_each_message_has_its_answer():
    aws = ScriptedSqs(SendMessageBatch=[None, BrokerUnavailableError("down")])

    answers = aws.broker().send("q", [outgoing(number) for number in range(12)])

    assert answers == [Sent()] * 10 + [NotSent("down")] * 2


def test_a_message_over_the_limit_is_refused_before_anything_is_sent():
    aws = ScriptedSqs()
    large = outgoing(1, b"x" * (MEBIBYTE - 7), attributes={"a": "b"})

    with pytest.raises(MessageTooLargeError) as refused:
        aws.broker().send("q", [outgoing(0), large])

    assert (refused.value.size_bytes, refused.value.limit_bytes) == (MEBIBYTE + 1, MEBIBYTE)
    assert aws.calls == []


def test_a_message_as_large_as_the_limit_is_sent():
    aws = ScriptedSqs()

    assert aws.broker().send("q", [outgoing(1, b"x" * (MEBIBYTE - 8), attributes={"a": "b"})]) == [Sent()]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "empty"),
        (b"ok\xff", "byte 2"),
        ("ab\ufffe".encode(), r"U\+FFFE"),
        (b"\x00", r"U\+0000"),
    ],
)
def test_a_body_that_xml_can_not_carry_is_refused_for_good(body, named):
    aws = ScriptedSqs()

    refused, sent = aws.broker().send("q", [outgoing(0, body), outgoing(1)])

    assert isinstance(refused, NotSent)
    assert not refused.retryable
    assert re.search(named, refused.why)
    assert sent == Sent()


@pytest.mark.parametrize(
    "fields",
    [
        {"group": "x" * 129},
        {"group": ""},
        {"group": "with space"},
        {"deduplication_id": "ä"},
        {"attributes": {str(number): "x" for number in range(11)}},
        {"attributes": {"empty": ""}},
        {"attributes": {"control": "\x01"}},
        {"attributes": {"surrogate": "\ud800"}},
        {"attributes": {"AWS.own": "x"}},
        {"attributes": {"a..b": "x"}},
        {"attributes": {"": "x"}},
    ],
)
def test_what_sqs_would_refuse_spoils_nobody_elses_batch(fields):
    aws = ScriptedSqs()

    refused, sent = aws.broker().send("q", [outgoing(0, **fields), outgoing(1)])

    assert isinstance(refused, NotSent)
    assert not refused.retryable
    assert sent == Sent()
    assert [len(batch) for batch in aws.entries("SendMessageBatch")] == [1]


def test_a_delay_is_rounded_up_and_at_most_a_quarter_of_an_hour():
    aws = ScriptedSqs()

    aws.broker().send("q", [outgoing(number, delay=delay) for number, delay in enumerate([0, 0.2, 60, 5000])])

    (batch,) = aws.entries("SendMessageBatch")
    assert [entry.get("DelaySeconds") for entry in batch] == [None, 1, 60, 900]


def test_a_delay_on_a_fifo_queue_is_refused():
    aws = ScriptedSqs()

    (answer,) = aws.broker().send("q.fifo", [outgoing(0, delay=5)])

    assert isinstance(answer, NotSent)
    assert not answer.retryable


def test_messages_of_one_fifo_group_go_one_after_the_other():
    aws = ScriptedSqs()

    aws.broker().send("q.fifo", [outgoing(number, group="ab"[number % 2]) for number in range(6)])

    groups = [[entry["MessageGroupId"] for entry in batch] for batch in aws.entries("SendMessageBatch")]
    assert [sorted(batch) for batch in groups] == [["a", "b"]] * 3


def test_a_trace_header_takes_none_of_the_ten_attributes():
    aws = ScriptedSqs()
    attributes = {str(number): "x" for number in range(10)} | {"AWSTraceHeader": "Root=1-1-1"}

    assert aws.broker().send("q", [outgoing(0, attributes=attributes)]) == [Sent()]

    (entry,) = aws.entries("SendMessageBatch")[0]
    assert len(entry["MessageAttributes"]) == 10
    assert entry["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == "Root=1-1-1"


def test_a_missing_queue_is_said_to_be_missing():
    aws = ScriptedSqs()
    aws.missing.add("q")

    with pytest.raises(QueueNotFoundError):
        aws.broker().send("q", [outgoing(0)])
