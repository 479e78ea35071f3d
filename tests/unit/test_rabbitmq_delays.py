from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudq.brokers.rabbitmq import delays
from cloudq.errors import ConfigurationError
from cloudq.queues import Queue

some_delays = st.floats(0.001, delays.LONGEST)


@given(some_delays)
def test_a_delay_is_never_shorter_and_hardly_longer(delay):
    total = sum(delays.UNIT_MS / 1000 * 2**level for level in delays.levels(delay))

    assert delay - 1e-6 <= total <= max(delay * 1.0006, delay + delays.UNIT_MS / 1000)


@given(some_delays)
def test_a_delay_takes_at_most_twelve_hops_and_no_level_twice(delay):
    through = delays.levels(delay)

    assert 1 <= len(through) <= 12
    assert through == sorted(set(through), reverse=True)
    assert through[0] < delays.LEVELS


@pytest.mark.parametrize("delay", [delays.LONGEST, delays.LONGEST + 1, 1e12])
def test_what_is_longer_than_the_longest_waits_so_long(delay):
    assert delays.levels(delay) == delays.levels(delays.LONGEST)


def test_a_level_ends_before_a_queues_ttl_does():
    assert delays.UNIT_MS << (delays.LEVELS - 1) < 2**32


@given(some_delays)
def test_exchanges_lead_through_just_the_levels_of_a_delay(delay):
    exchange, key = delays.route(delay, "orders")
    visited = []
    level = int(exchange.rpartition(".")[2])
    while level >= 0:
        bit = _matches(delays.bit_pattern(level, "orders"), key)
        skip = _matches(delays.skip_pattern(level), key)
        assert bit != skip
        if bit:
            visited.append(level)
        level -= 1

    assert visited == delays.levels(delay)
    assert not any(_matches(delays.bit_pattern(one, "others"), key) for one in visited)
    assert len(key) <= 255 - 70


def _matches(pattern, key):
    """As a topic exchange does: `*` is one word, `#` any number."""
    words = pattern.split(".")
    given_words = key.split(".")
    if words[-1] == "#":
        words, given_words = words[:-1], given_words[: len(words) - 1]
    return len(words) == len(given_words) and all(
        word in {"*", one} for word, one in zip(words, given_words, strict=True)
    )


def test_a_level_has_a_name_that_no_queue_of_ours_can_have():
    with pytest.raises(ConfigurationError):
        Queue(delays.level_queue("orders", 3))
