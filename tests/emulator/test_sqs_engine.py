"""The engine's parts in plain numbers of time: what shows in large numbers only, or on odd clocks."""

from __future__ import annotations

import random

import pytest

from cloudq_emulator.sqs.engine import attributes, receipts
from cloudq_emulator.sqs.engine.agenda import Agenda
from cloudq_emulator.sqs.engine.message import Message, new_id
from cloudq_emulator.sqs.engine.registry import Registry
from cloudq_emulator.sqs.errors import SqsError


@pytest.fixture
def queue():
    return make_queue()


def make_queue(**attributes):
    return Registry().create("000000000000", "eu-west-1", "work", attributes, 0.0)[0]


def send(queue, number, now=0.0):
    return queue.send(Message(str(number), "", "000000000000", now), now)


def test_an_agenda_agrees_with_a_sorted_list_however_often_things_are_put_off():
    chance, agenda, model = random.Random(1), Agenda(), {}
    for _ in range(5_000):
        item, at = chance.randrange(50), chance.random()
        if chance.random() < 0.3:
            agenda.drop(item)
            model.pop(item, None)
        else:
            agenda.put(item, at)
            model[item] = at

    assert agenda.next_at() == min(model.values())
    assert list(agenda.due(0.5)) == sorted(
        (item for item, at in model.items() if at <= 0.5), key=lambda item: model[item]
    )
    assert len(agenda) == sum(at > 0.5 for at in model.values())


def test_an_agenda_does_not_keep_what_was_dropped():
    agenda = Agenda()
    for number in range(10_000):
        agenda.put(number, float(number))
        agenda.drop(number)

    assert len(agenda._heap) < 200


def test_messages_deleted_while_ready_do_not_fill_the_line(queue):
    for number in range(1_000):
        send(queue, number)
    received = [pair for _ in range(100) for pair in queue.receive(10, 1, 0.0)]
    assert queue.ready_count == 0

    for _, handle in received[10:]:
        queue.delete(handle, 1.0)

    assert queue.ready_count == 10
    assert sum(map(len, (queue._line._line, queue._line._returned))) < 300
    assert len(queue.receive(10, 0, 1.0)) == 10


def test_expired_messages_are_forgotten_in_bulk():
    queue = make_queue(MessageRetentionPeriod=60)
    for number in range(1_000):
        send(queue, number, now=float(number) / 1_000)

    queue.advance(60.4995)

    assert queue.ready_count == 500
    assert queue.receive(1, 30, 60.4995)[0][0].body == "500"


def test_a_clock_that_goes_back_makes_nothing_due_and_loses_nothing(queue):
    send(queue, 1, now=1_000.0)
    queue.receive(1, 10, 1_000.0)

    assert queue.receive(1, 10, 500.0) == []
    assert queue.leased_count == 1
    assert len(queue.receive(1, 10, 1_010.0)) == 1


def test_shorter_retention_applies_to_what_is_there(queue):
    send(queue, 1)
    queue.settings = queue.settings.changed({"MessageRetentionPeriod": "60"})

    queue.advance(61.0)

    assert queue.ready_count == 0


def test_receipts_are_of_one_queue():
    handle = receipts.write("abcd", 7, 2)

    assert receipts.read(handle, "abcd") == (7, 2)
    for wrong in (handle, "", "x", "QUJD", handle + "="):
        with pytest.raises(SqsError, match="ReceiptHandleIsInvalid"):
            receipts.read(wrong, "other")


def test_ids_are_random_uuids():
    ids = {new_id() for _ in range(1_000)}

    assert len(ids) == 1_000
    assert all(id_[14] == "4" and id_[19] in "89ab" and len(id_) == 36 for id_ in ids)


def test_the_digest_of_attributes_is_the_one_that_aws_documents():
    # Computed once with botocore's own reading of the rules for these three kinds.
    checked = attributes.check(
        {
            "b": {"DataType": "Binary", "BinaryValue": b"\x01\x02"},
            "a": {"DataType": "String", "StringValue": "x"},
        }
    )

    assert checked["b"]["BinaryValue"] == "AQI="
    assert attributes.size_bytes(checked) == len("b" + "Binary") + 2 + len("a" + "String" + "x")
    assert attributes.digest(checked) == attributes.digest(dict(reversed(checked.items())))


def test_moving_dead_letters_keeps_the_time_of_the_first_send():
    registry = Registry()
    dead, _ = registry.create("000000000000", "eu-west-1", "dead", {"MessageRetentionPeriod": 60}, 0.0)
    policy = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1}
    queue, _ = registry.create("000000000000", "eu-west-1", "work", {"RedrivePolicy": policy}, 0.0)
    send(queue, 1)
    queue.receive(1, 50, 0.0)
    queue.receive(1, 50, 50.0)
    assert dead.ready_count == 1

    dead.advance(60.0)

    assert dead.ready_count == 0


def test_without_its_dead_letter_queue_a_queue_goes_on_handing_out():
    registry = Registry()
    dead, _ = registry.create("000000000000", "eu-west-1", "dead", {}, 0.0)
    policy = {"deadLetterTargetArn": dead.arn, "maxReceiveCount": 1}
    queue, _ = registry.create("000000000000", "eu-west-1", "work", {"RedrivePolicy": policy}, 0.0)
    registry.delete(dead, 0.0)
    send(queue, 1)

    assert [len(queue.receive(1, 1, float(now))) for now in range(3)] == [1, 1, 1]
