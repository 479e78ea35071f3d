from __future__ import annotations

import pytest

from cloudq.brokers.sqs import copies_taken
from cloudq.brokers.sqs.copies_taken import CopiesTaken
from cloudq.clock import FakeClock
from cloudq.delivery import Delivery, Lost, Settled, Unknown


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def taken(clock):
    return CopiesTaken(clock)


def delivery(number):
    return Delivery("q", f"m-{number}", b"{}", f"receipt-{number}", 1)


def test_what_is_settled_or_lost_is_forgotten_and_what_is_unknown_is_kept(taken):
    deliveries = [delivery(number) for number in range(3)]
    taken.remember(deliveries)

    taken.settled(lambda _: [Settled(), Lost(), Unknown("lost")], deliveries)

    assert [one in taken for one in deliveries] == [False, False, True]


def test_the_oldest_are_forgotten_when_there_are_too_many(taken, monkeypatch):
    monkeypatch.setattr(copies_taken, "MOST", 5)

    for number in range(8):
        taken.remember([delivery(number)])

    assert [number for number in range(8) if delivery(number) in taken] == [3, 4, 5, 6, 7]


def test_nothing_is_remembered_for_longer_than_a_lease_can_last(taken, clock):
    taken.remember([delivery(1)])
    clock.advance(12 * 3600)

    taken.remember([delivery(2)])

    assert len(taken) == 1
    assert delivery(2) in taken
