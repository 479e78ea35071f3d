"""What every contender's tasks do: note in one file for all that they were run, or how long they waited."""

from __future__ import annotations

import os
from time import monotonic_ns, sleep  # noqa: TID251 - peers have no cloudq.clock

from benchmarks.tasks.contenders import NAP

BROKER = os.environ["BENCH_BROKER"]  # noqa: TID251 - peers have no cloudq.config

_LONGEST = 9_999_999

_notes = os.open(os.environ["BENCH_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)  # noqa: TID251 - as above


def note(number: int) -> None:
    """Note an execution: one write, which the kernel keeps whole."""
    os.write(_notes, b"%07d\n" % number)


def now() -> int:
    """Microseconds on a clock that all processes share."""
    return monotonic_ns() // 1000


def note_age(sent: int) -> None:
    """Note how many microseconds ago something was sent."""
    note(min(now() - sent, _LONGEST))


def nap_and_note(number: int) -> None:
    """Sleep as a task that waits would, then note it."""
    sleep(NAP)
    note(number)
