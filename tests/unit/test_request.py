"""What a running task can ask about its own run."""

from __future__ import annotations

from cloudq.clock import FakeClock
from cloudq.message import Message
from cloudq.request import Request, running


def request(clock: FakeClock, **fields: object) -> Request:
    message = Message(id="m1", task="do", headers={"tenant": "a"})
    return Request(
        **{
            "message": message,
            "queue": "work",
            "retries": 2,
            "receive_count": 5,
            "monotonic": clock.monotonic,
            **fields,
        }
    )


def test_it_bears_the_message_s_id_and_headers(clock: FakeClock):
    made = request(clock)

    assert (made.id, made.headers) == ("m1", {"tenant": "a"})


def test_time_remaining_is_none_without_a_deadline(clock: FakeClock):
    assert request(clock).time_remaining() is None


def test_time_remaining_counts_down_to_zero(clock: FakeClock):
    made = request(clock, deadline=clock.monotonic() + 10)

    clock.advance(4)
    first = made.time_remaining()
    clock.advance(60)

    assert (first, made.time_remaining()) == (6, 0)


def test_lease_is_held_until_it_is_said_to_be_lost(clock: FakeClock):
    assert request(clock).lease_lost is False
    assert request(clock, is_lease_lost=lambda: True).lease_lost is True


def test_nothing_runs_outside_a_task():
    assert running.get() is None
