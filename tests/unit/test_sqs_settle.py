from __future__ import annotations

import contextlib
import json
import logging
import math

import pytest

from cloudq.brokers.sqs.receipts import receipt
from cloudq.brokers.sqs.transport import AnswerLostError
from cloudq.delivery import Delivery, Lost, Reason, Release, Settled, Unknown
from cloudq.errors import BrokerUnavailableError, ConfigurationError, QueueNotFoundError
from cloudq.queues import Queue
from tests.scripted_sqs import HastyClock, ScriptedSqs, failing, name_of

MEBIBYTE = 1024 * 1024
REASON = Reason("failed", "It failed.", error="ValueError: no", traceback="x" * 500)


def delivery(number=0, *, queue="q", body=b"{}", received_at=None, **fields):
    handle = f"handle-{number}"
    made = handle if received_at is None else receipt(handle, received_at)
    return Delivery(queue, f"m-{number}", body, made, fields.pop("receive_count", 1), **fields)


def operations(aws):
    return [name for name, _ in aws.calls if name != "GetQueueUrl"]


def test_deliveries_of_several_queues_are_acked_in_batches_and_answered_in_order():
    aws = ScriptedSqs(
        DeleteMessageBatch=lambda params: (
            failing({"1"}, code="ReceiptHandleIsInvalid", is_ours=True)(params)
            if params["QueueUrl"].endswith("/b")
            else None
        )
    )
    deliveries = [delivery(number, queue="ab"[number % 2]) for number in range(24)]

    answers = aws.broker().ack(deliveries)

    assert answers == [Lost() if number in {3, 23} else Settled() for number in range(24)]
    assert sorted(len(batch) for batch in aws.entries("DeleteMessageBatch")) == [2, 2, 10, 10]


@pytest.mark.parametrize(
    "code", ["ReceiptHandleIsInvalid", "AWS.SimpleQueueService.MessageNotInflight", "InvalidParameterValue"]
)
def test_a_receipt_whose_lease_has_ended_is_answered_as_lost(code):
    aws = ScriptedSqs(ChangeMessageVisibilityBatch=failing({"0"}, code=code, is_ours=True))

    assert aws.broker().extend([(delivery(), 30.0)]) == [Lost()]
    assert len(aws.asked("ChangeMessageVisibilityBatch")) == 1


def test_what_sqs_fails_at_is_tried_again_and_then_unknown():
    aws = ScriptedSqs(DeleteMessageBatch=failing({"0"}))

    assert aws.broker().ack([delivery(0), delivery(1)]) == [Unknown("InternalError: 0 failed."), Settled()]
    assert [len(batch) for batch in aws.entries("DeleteMessageBatch")] == [2, 1, 1]


def test_a_lost_answer_is_unknown():
    aws = ScriptedSqs(DeleteMessageBatch=lambda _: AnswerLostError("timed out"))

    assert aws.broker().ack([delivery()]) == [Unknown("timed out")]


def test_a_broker_that_can_not_be_reached_at_all_says_so():
    aws = ScriptedSqs(DeleteMessageBatch=lambda _: BrokerUnavailableError("down"))

    with pytest.raises(BrokerUnavailableError, match="down"):
        aws.broker().ack([delivery()])


@pytest.mark.parametrize("operation", ["ack", "extend", "release", "dead_letter"])
def test_a_deleted_queue_leaves_the_answers_of_others_alone(operation):
    aws = ScriptedSqs()
    aws.missing.add("gone")
    given = [delivery(number, queue=queue) for number, queue in enumerate(["gone", "q", "gone", "q"])]
    items = {
        "ack": given,
        "extend": [(one, 30.0) for one in given],
        "release": [Release(one) for one in given],
        "dead_letter": [(one, REASON) for one in given],
    }

    answers = getattr(aws.broker(), operation)(items[operation])

    assert [type(answer) for answer in answers] == [Unknown, Settled, Unknown, Settled]
    assert "no such queue" in answers[0].why


def test_an_ack_in_nothing_but_deleted_queues_says_so():
    aws = ScriptedSqs()
    aws.missing |= {"gone", "lost"}

    with pytest.raises(QueueNotFoundError):
        aws.broker().ack([delivery(0, queue="gone"), delivery(1, queue="lost")])


def test_a_throttled_queue_leaves_the_answers_of_others_alone():
    throttled = BrokerUnavailableError("throttled")
    aws = ScriptedSqs(DeleteMessageBatch=lambda params: throttled if name_of(params) == "a" else None)

    answers = aws.broker().ack([delivery(0, queue="a"), delivery(1, queue="b")])

    assert answers == [Unknown("throttled"), Settled()]


def test_an_extension_does_not_reach_beyond_twelve_hours_from_the_receive():
    aws, clock = ScriptedSqs(), HastyClock()
    received = clock.now()
    clock.advance(11.5 * 3600)

    answers = aws.broker(clock).extend([(delivery(received_at=received), 3600.0)])

    assert answers == [Settled()]
    assert aws.entries("ChangeMessageVisibilityBatch") == [
        [{"Id": "0", "ReceiptHandle": "handle-0", "VisibilityTimeout": 1740}]
    ]


def test_a_delivery_older_than_twelve_hours_is_lost_without_asking():
    aws, clock = ScriptedSqs(), HastyClock()
    old, young = delivery(0, received_at=clock.now()), delivery(1)
    clock.advance(12 * 3600)

    assert aws.broker(clock).extend([(old, 60.0), (young, 60.0)]) == [Lost(), Settled()]


def test_a_short_delay_keeps_the_message_and_hides_it():
    aws = ScriptedSqs()

    assert aws.broker().release([Release(delivery(), 59.5, b"new")]) == [Settled()]

    (batch,) = aws.entries("ChangeMessageVisibilityBatch")
    assert batch[0]["VisibilityTimeout"] == 60
    assert operations(aws) == ["ChangeMessageVisibilityBatch"]


def test_a_long_delay_sends_a_copy_and_then_deletes_the_original():
    aws = ScriptedSqs()
    given = delivery(group="tenant", attributes={"colour": "red"})

    assert aws.broker().release([Release(given, 300.0, b"new")]) == [Settled()]

    assert operations(aws) == ["SendMessageBatch", "DeleteMessageBatch"]
    ((copy,),) = aws.entries("SendMessageBatch")
    assert (copy["MessageBody"], copy["DelaySeconds"], copy["MessageGroupId"]) == ("new", 300, "tenant")
    assert copy["MessageAttributes"]["colour"]["StringValue"] == "red"


@pytest.mark.parametrize(
    "release",
    [
        Release(delivery(), 300.0),
        Release(delivery(queue="q.fifo"), 300.0, b"new"),
        Release(delivery(), 5000, b"n"),
    ],
    ids=["no body", "FIFO", "longer than a copy can wait"],
)
def test_other_long_delays_hide_the_message(release):
    aws = ScriptedSqs()

    assert aws.broker().release([release]) == [Settled()]

    assert operations(aws) == ["ChangeMessageVisibilityBatch"]


@pytest.mark.parametrize(
    "refusal",
    [
        failing({"0"}, is_ours=True),
        lambda _: AnswerLostError("timed out"),
        lambda _: BrokerUnavailableError("down"),
    ],
    ids=["refused", "answer lost", "unavailable"],
)
def test_an_original_whose_copy_was_not_surely_taken_is_hidden_and_never_deleted(refusal):
    aws = ScriptedSqs(SendMessageBatch=refusal)

    assert aws.broker().release([Release(delivery(), 300.0, b"new")]) == [Settled()]

    assert operations(aws)[-1] == "ChangeMessageVisibilityBatch"
    assert not aws.asked("DeleteMessageBatch")


class Throttled:
    """An operation that SQS throttles until it is told to stop."""

    def __init__(self):
        self.is_on = True

    def __call__(self, params):
        return BrokerUnavailableError("throttled") if self.is_on else None


@pytest.mark.parametrize("trouble", ["throttled", "failing", "lost"])
def test_a_repeated_release_sends_no_second_copy(trouble):
    scripts = {
        "throttled": lambda _: BrokerUnavailableError("throttled"),
        "failing": failing({"0"}),
        "lost": lambda _: AnswerLostError("timed out"),
    }
    aws = ScriptedSqs(DeleteMessageBatch=scripts[trouble])
    broker = aws.broker()

    for _ in range(3):
        with contextlib.suppress(BrokerUnavailableError):
            assert isinstance(broker.release([Release(delivery(), 300.0, b"new")])[0], Unknown)

    assert len(aws.asked("SendMessageBatch")) == 1
    assert not aws.asked("ChangeMessageVisibilityBatch")


def test_a_release_that_was_repeated_is_settled_by_its_delete():
    throttled = Throttled()
    aws = ScriptedSqs(DeleteMessageBatch=throttled)
    broker, release = aws.broker(), Release(delivery(), 300.0, b"new")
    with pytest.raises(BrokerUnavailableError):
        broker.release([release])
    throttled.is_on = False

    assert broker.release([release]) == [Settled()]

    assert operations(aws) == ["SendMessageBatch", "DeleteMessageBatch", "DeleteMessageBatch"]


def test_the_next_receive_of_a_message_is_copied_anew():
    aws, clock = ScriptedSqs(), HastyClock()
    broker = aws.broker(clock)

    for received in (clock.now(), clock.now() + 60):
        broker.release([Release(delivery(received_at=received), 300.0, b"new")])

    assert len(aws.asked("SendMessageBatch")) == 2


def test_a_copy_that_was_perhaps_taken_is_sent_again():
    aws = ScriptedSqs(
        SendMessageBatch=lambda _: AnswerLostError("timed out"),
        ChangeMessageVisibilityBatch=lambda _: AnswerLostError("timed out"),
    )
    broker, release = aws.broker(), Release(delivery(), 300.0, b"new")

    assert broker.release([release]) == broker.release([release]) == [Unknown("timed out")]

    assert len(aws.asked("SendMessageBatch")) == 2


def test_releases_under_their_lease_go_on_while_deletes_are_throttled():
    aws = ScriptedSqs(DeleteMessageBatch=Throttled())
    releases = [Release(delivery(0), 300.0, b"new"), Release(delivery(1), 5.0)]

    assert aws.broker().release(releases) == [Unknown("throttled"), Settled()]


@pytest.mark.parametrize(("delay", "seconds"), [(math.inf, 43_200), (-math.inf, 0), (math.nan, 0)])
def test_a_delay_without_an_end_is_cut_to_what_sqs_can_hold(delay, seconds):
    aws = ScriptedSqs()

    answers = aws.broker().release([Release(delivery(0), delay, b"new"), Release(delivery(1), 1.0)])

    assert answers == [Settled(), Settled()]
    (batch,) = aws.entries("ChangeMessageVisibilityBatch")
    assert [entry["VisibilityTimeout"] for entry in batch] == [seconds, 1]


def test_an_extension_without_an_end_is_cut_and_one_of_no_number_is_refused():
    aws = ScriptedSqs()

    assert aws.broker().extend([(delivery(), math.inf)]) == [Settled()]
    with pytest.raises(ConfigurationError, match="nan"):
        aws.broker().extend([(delivery(), math.nan)])

    ((entry,),) = aws.entries("ChangeMessageVisibilityBatch")
    assert entry["VisibilityTimeout"] == 43_200


def test_answers_to_releases_of_both_kinds_stand_in_order():
    aws = ScriptedSqs(ChangeMessageVisibilityBatch=failing({"1"}, code="MessageNotInflight", is_ours=True))
    releases = [Release(delivery(number), 300.0 * (number % 2), b"new") for number in range(5)]

    assert aws.broker().release(releases) == [Settled(), Settled(), Lost(), Settled(), Settled()]


def test_a_dead_letter_is_accepted_before_the_original_is_deleted():
    aws, clock = ScriptedSqs(), HastyClock()

    answers = aws.broker(clock).dead_letter([(delivery(receive_count=4, attributes={"a": "b"}), REASON)])

    assert answers == [Settled()]
    assert operations(aws) == ["SendMessageBatch", "DeleteMessageBatch"]
    (asked,) = aws.asked("SendMessageBatch")
    assert asked["QueueUrl"].endswith("/q-dead")
    (entry,) = asked["Entries"]
    assert entry["MessageBody"] == "{}"
    assert entry["MessageAttributes"]["a"]["StringValue"] == "b"
    told = json.loads(entry["MessageAttributes"]["cloudq.dead"]["StringValue"])
    assert (told["code"], told["queue"], told["receive_count"]) == ("failed", "q", 4)
    assert told["died_at"] == clock.now()


def test_a_repeated_dead_letter_is_sent_once_and_deleted_when_that_can_be():
    throttled = Throttled()
    aws = ScriptedSqs(DeleteMessageBatch=throttled)
    broker, dead = aws.broker(), [(delivery(), REASON)]
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError):
            broker.dead_letter(dead)
    throttled.is_on = False

    assert broker.dead_letter(dead) == [Settled()]

    assert len(aws.asked("SendMessageBatch")) == 1


def test_dead_letters_are_settled_although_others_can_not_be_given_back():
    aws = ScriptedSqs(ChangeMessageVisibilityBatch=Throttled())
    aws.missing.add("a-dead")

    answers = aws.broker().dead_letter([(delivery(0, queue="a"), REASON), (delivery(1), REASON)])

    assert answers == [Unknown("throttled"), Settled()]


@pytest.mark.parametrize("trouble", ["missing", "refused", "lost"])
def test_what_the_dead_letter_queue_does_not_take_is_given_back_with_an_error(trouble, caplog):
    scripts = {"refused": failing({"0"}, is_ours=True), "lost": lambda _: AnswerLostError("timed out")}
    aws = ScriptedSqs(**({"SendMessageBatch": scripts[trouble]} if trouble in scripts else {}))
    if trouble == "missing":
        aws.missing.add("q-dead")

    (answer,) = aws.broker().dead_letter([(delivery(receive_count=3), REASON)])

    assert isinstance(answer, Unknown)
    assert not aws.asked("DeleteMessageBatch")
    ((hidden,),) = aws.entries("ChangeMessageVisibilityBatch")
    assert hidden["VisibilityTimeout"] == 120
    (record,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert (record.action, record.queue, record.message_id) == ("dead_letter_refused", "q", "m-0")


def test_a_dead_letter_queue_that_was_deleted_is_made_again_where_queues_are_made():
    aws = ScriptedSqs(SendMessageBatch=[QueueNotFoundError("no such queue", queue="q-dead")])
    broker = aws.broker(create_queues=True)
    broker.declare(Queue("q"))

    assert broker.dead_letter([(delivery(), REASON)]) == [Settled()]

    assert [params["QueueName"] for params in aws.asked("CreateQueue")] == ["q-dead", "q"] * 2


def test_the_delay_of_what_can_not_be_dead_lettered_grows_to_a_quarter_of_an_hour():
    aws = ScriptedSqs()
    aws.missing.add("q-dead")

    aws.broker().dead_letter([(delivery(receive_count=count), REASON) for count in (1, 2, 5, 6, 5000)])

    (batch,) = aws.entries("ChangeMessageVisibilityBatch")
    assert [entry["VisibilityTimeout"] for entry in batch] == [30, 60, 480, 900, 900]


@pytest.mark.parametrize("room", [0, 30, 200, 400])
def test_the_reason_shrinks_where_the_body_leaves_no_room(room):
    aws = ScriptedSqs()

    answers = aws.broker().dead_letter([(delivery(body=b"x" * (MEBIBYTE - room)), REASON)])

    assert answers == [Settled()]
    ((entry,),) = aws.entries("SendMessageBatch")
    assert len(entry["MessageBody"]) == MEBIBYTE - room
    assert ("MessageAttributes" in entry) == (room >= 200)


def test_a_dead_letter_never_has_an_eleventh_attribute(caplog):
    aws = ScriptedSqs()
    attributes = {f"a{number}": "x" for number in range(10)} | {"AWSTraceHeader": "Root=1"}

    aws.broker().dead_letter([(delivery(attributes=attributes), REASON)])

    ((entry,),) = aws.entries("SendMessageBatch")
    assert set(entry["MessageAttributes"]) == {f"a{number}" for number in range(9)} | {"cloudq.dead"}
    assert entry["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == "Root=1"
    assert [record.action for record in caplog.records] == ["attributes_dropped"]


def test_a_fifo_message_keeps_its_group_in_the_dead_letter_queue():
    aws = ScriptedSqs()

    aws.broker().dead_letter([(delivery(queue="q.fifo", group="g"), REASON)])

    (asked,) = aws.asked("SendMessageBatch")
    assert asked["QueueUrl"].endswith("/q-dead.fifo")
    assert asked["Entries"][0]["MessageGroupId"] == "g"
    assert asked["Entries"][0]["MessageDeduplicationId"] == "m-0"
