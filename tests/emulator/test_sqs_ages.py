"""What is past its retention is found, in whatever order it came."""

from __future__ import annotations

import random

from cloudq_emulator.sqs.engine.ages import Ages
from cloudq_emulator.sqs.engine.message import Message


def message(number, sent_at):
    made = Message("x", "", "000000000000", sent_at)
    made.number = number
    return made


def test_ages_agree_with_a_sorted_list_however_messages_come_and_go():
    chance, held = random.Random(1), {}
    ages = Ages(held)
    for number in range(5_000):
        # Mostly in order, as sends are; a fifth older, as dead letters are.
        sent_at = number - (chance.randrange(500) if chance.random() < 0.2 else 0)
        held[number] = message(number, sent_at)
        ages.put(held[number])
        if chance.random() < 0.3:
            del held[chance.choice(list(held))]
        if chance.random() < 0.1:
            limit = number - 1_000
            expected = {one.number for one in held.values() if one.sent_at <= limit}

            found = [one.number for one in ages.until(limit)]
            for one in found:
                del held[one]

            assert set(found) == expected
            assert len(found) == len(expected)


def test_ages_forget_what_is_gone_even_behind_what_stays():
    held = {number: message(number, number) for number in range(10_000)}
    ages = Ages(held)
    for one in held.values():
        ages.put(one)
    for number in range(1, 10_000):
        del held[number]
        ages.trim()

    assert list(ages.until(-1)) == []
    assert len(ages) < 100
