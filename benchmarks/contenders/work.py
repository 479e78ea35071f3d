"""What the tasks do: note in one file for all that they were run, or how long they waited.

The environment says where: `BENCH_BROKER` is sqlite, sqs, redis or rabbitmq, `BENCH_ADDRESS` its file,
endpoint or URL, `BENCH_VARIANT` how it is used, where there are several ways, `BENCH_QUEUE` the queue,
`BENCH_NOTES` the file of notes.
"""

from __future__ import annotations

import os
from time import monotonic_ns, sleep  # noqa: TID251 - peers have no cloudq.clock

_environment = os.environ  # noqa: TID251 - peers have no cloudq.config

BROKER = _environment["BENCH_BROKER"]
ADDRESS = _environment["BENCH_ADDRESS"]
VARIANT = _environment["BENCH_VARIANT"]
QUEUE = _environment["BENCH_QUEUE"]

_LONGEST = 9_999_999

_notes = os.open(_environment["BENCH_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def noop(number: int) -> None:
    """Do next to nothing: one write, which the kernel keeps whole."""
    os.write(_notes, b"%07d\n" % number)


def stamp(sent: int) -> None:
    """Note how many microseconds ago this was sent."""
    noop(min(now() - sent, _LONGEST))


def nap(number: int, seconds: float) -> None:
    """Wait, as for a network."""
    sleep(seconds)
    noop(number)


def now() -> int:
    """Microseconds on a clock that all processes share."""
    return monotonic_ns() // 1000
