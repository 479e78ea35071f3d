"""In what order a worker asks its queues."""

from __future__ import annotations

from collections import Counter

import pytest

from cloudq.worker.preference import SHARE, Preference

EMAILS = ["emails--p2", "emails--p1", "emails"]


def test_named_queues_are_always_asked_in_their_order():
    preference = Preference({"a": ["a"], "b": ["b"], "c": ["c"]}, is_strict=True)

    assert [preference.order(10) for _ in range(3)] == [(["a", "b", "c"], 10)] * 3


def test_other_queues_take_turns_at_being_the_first():
    preference = Preference({"a": ["a"], "b": ["b"], "c": ["c"]}, is_strict=False)

    firsts = [preference.order(10)[0] for _ in range(4)]

    assert firsts == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_the_highest_level_comes_first():
    preference = Preference({"emails": EMAILS, "b": ["b"]}, is_strict=True)

    assert preference.order(10) == ([*EMAILS, "b"], 10)


@pytest.mark.parametrize("is_strict", [True, False])
def test_what_is_paused_is_not_asked(is_strict):
    preference = Preference({"emails": EMAILS, "b": ["b"]}, is_strict=is_strict)

    assert preference.order(10, {"emails"}) == (["b"], 10)
    assert preference.order(10, {"emails", "b"}) == ([], 10)


def test_the_lower_levels_have_their_share_by_turns_of_a_flood():
    preference = Preference({"emails": EMAILS}, is_strict=True)
    waiting = Counter({"emails--p2": 10_000, "emails--p1": 10_000, "emails": 10_000})
    ran = Counter()

    for _ in range(100):
        order, limit = preference.order(50)
        room = limit
        for level in order:
            taken = min(room, waiting[level])
            waiting[level] -= taken
            ran[level] += taken
            preference.brought([level] * taken)
            room -= taken

    total = ran.total()
    assert ran["emails--p2"] / total == pytest.approx(1 - 1 / (SHARE + 1), abs=0.02)
    assert ran["emails"] == pytest.approx(ran["emails--p1"], abs=10)
    assert ran["emails"] > 0


def test_one_place_is_shared_too():
    preference = Preference({"emails": EMAILS[1:]}, is_strict=True)
    firsts = []

    for _ in range(22):
        order, _ = preference.order(1)
        firsts.append(order[0])
        preference.brought([order[0]])

    assert firsts.count("emails") == 2


def test_lower_levels_that_are_empty_cost_nothing_but_a_smaller_receive():
    preference = Preference({"emails": EMAILS}, is_strict=True)
    preference.brought(["emails--p2"] * 40)

    assert preference.order(50) == (["emails", "emails--p2", "emails--p1"], 4)
    assert preference.order(50) == (EMAILS, 50)
