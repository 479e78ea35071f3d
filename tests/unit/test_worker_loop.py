import socket
import threading

import pytest

from cloudq.clock import SystemClock
from cloudq.testing.steps import PATIENCE, in_thread
from cloudq.worker.loop import Loop

CLOCK = SystemClock()


def loop_of(*waits):
    """A loop whose turns wait so many seconds each."""
    left = iter(waits)
    return Loop(lambda: None if (wait := next(left, None)) is None else CLOCK.monotonic() + wait, CLOCK)


def test_a_channel_that_anothers_handler_has_closed_is_not_called():
    loop = loop_of(PATIENCE)
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def handle(number: int) -> None:
        called.append(number)
        other = pairs[1 - number][0]
        loop.unwatch(other)
        other.close()

    for number, (ours, theirs) in enumerate(pairs):
        loop.watch(ours, lambda number=number: handle(number))
        theirs.send(b".")
    loop.run()
    assert len(called) == 1
    loop.close()
    for pair in pairs:
        for end in pair:
            end.close()


def test_a_new_channel_under_a_closed_ones_number_is_not_taken_for_it():
    loop = loop_of(PATIENCE)
    pairs = [socket.socketpair() for _ in range(2)]
    late: list[socket.socket] = []
    called: list[int] = []

    def handle(number: int) -> None:
        other = pairs[1 - number][0]
        loop.unwatch(other)
        descriptor = other.fileno()
        other.close()
        late.extend(socket.socketpair())
        assert late[0].fileno() == descriptor
        loop.watch(late[0], lambda: called.append(number))

    for number, (ours, theirs) in enumerate(pairs):
        loop.watch(ours, lambda number=number: handle(number))
        theirs.send(b".")
    loop.run()
    assert called == []
    loop.close()
    for end in [*late, *(end for pair in pairs for end in pair)]:
        end.close()


def test_an_interjected_call_is_made_in_its_own_thread_and_acted_on_there():
    turns = []
    loop = Loop(lambda: turns.append(threading.get_ident()) or (None if made else PATIENCE), CLOCK)
    made = []
    ran = in_thread(loop.run)

    loop.interject(lambda: made.append(threading.get_ident()))

    ran.result(PATIENCE)
    loop.close()
    assert made == [threading.get_ident()]
    assert threading.get_ident() in turns


def test_an_interjection_that_brings_the_next_turn_forward_wakes_the_loop():
    at = [CLOCK.monotonic() + 10 * PATIENCE]
    loop = Loop(lambda: None if CLOCK.monotonic() >= at[0] else at[0], CLOCK)
    ran = in_thread(loop.run)

    loop.interject(lambda: at.__setitem__(0, CLOCK.monotonic() + 0.01))

    ran.result(PATIENCE)
    loop.close()


def test_what_an_interjected_call_raises_ends_the_loop():
    loop = loop_of(*[10 * PATIENCE] * 3)
    ran = in_thread(loop.run)

    loop.interject(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        ran.result(PATIENCE)
    loop.interject(lambda: pytest.fail("called after the end"))
    loop.close()
