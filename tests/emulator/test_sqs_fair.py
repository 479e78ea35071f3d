"""Fair queues: groups of a standard queue, in plain numbers of time."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from cloudq_emulator.sqs.engine.message import Message
from cloudq_emulator.sqs.engine.registry import Registry


@pytest.fixture
def queue():
    return Registry().create("000000000000", "eu-west-1", "work", {}, 0.0)[0]


def send(queue, *groups):
    for group in groups:
        queue.send(Message(group, "", "000000000000", 0.0, group=group), 0.0)


def groups(received):
    return [message.group for message, _ in received]


def test_while_no_group_is_noisy_the_oldest_message_comes_first(queue):
    send(queue, *"aabc", "", "a")

    assert groups(queue.receive(10, 30, 0.0)) == ["a", "a", "b", "c", "", "a"]


def test_a_noisy_group_is_passed_over_while_a_quiet_one_waits(queue):
    send(queue, *["noisy"] * 100)
    for _ in range(3):
        assert groups(queue.receive(10, 30, 0.0)) == ["noisy"] * 10
    send(queue, "quiet", "", "quiet")

    assert groups(queue.receive(5, 30, 0.0)) == ["quiet", "", "quiet", "noisy", "noisy"]


def test_a_group_with_less_than_thirty_in_flight_is_quiet(queue):
    send(queue, *["busy"] * 29)
    queue.receive(10, 30, 0.0)
    queue.receive(10, 30, 0.0)
    queue.receive(9, 30, 0.0)
    send(queue, "busy", "other")

    assert groups(queue.receive(2, 30, 0.0)) == ["busy", "other"]


def test_a_group_with_a_tenth_of_what_is_in_flight_is_quiet(queue):
    send(queue, *["some"] * 30, *map(str, range(270)))
    for _ in range(30):
        queue.receive(10, 30, 0.0)
    send(queue, "some", "other")

    assert groups(queue.receive(2, 30, 0.0)) == ["some", "other"]


def test_a_noisy_group_is_quiet_again_once_its_messages_are_done(queue):
    send(queue, *["noisy"] * 30)
    received = [one for _ in range(3) for one in queue.receive(10, 30, 0.0)]
    queue.delete(received[0][1], 0.0)
    send(queue, "noisy", "other")

    assert groups(queue.receive(2, 30, 0.0)) == ["noisy", "other"]


def test_nothing_is_lost_or_doubled_however_messages_come_and_go(queue):
    chance, now, held, done = random.Random(1), 0.0, {}, Counter()
    for step in range(20_000):
        now += chance.random() / 10
        what = chance.random()
        if what < 0.4:
            queue.send(Message(str(step), "", "0", now, group=chance.choice(["a", "b", "c", ""])), now)
        elif what < 0.7:
            for message, handle in queue.receive(chance.randint(1, 10), chance.choice([0, 1, 60]), now):
                held[message.body] = handle
        elif held:
            body = chance.choice(list(held))
            if what < 0.9:
                before = len(list(queue))
                queue.delete(held.pop(body), now)
                done[body] += before - len(list(queue))
            else:
                queue.change_lease(held[body], chance.choice([0, 5]), now)
        assert queue.ready_count == sum(1 for message in queue if message.state == "ready")

    while received := queue.receive(10, 0, now + 100):
        for _, handle in received:
            queue.delete(handle, now + 100)
    assert list(queue) == []
    assert max(done.values()) == 1
    assert len(queue._line._groups) == 0
    assert len(queue._line._heads) < 1_000
