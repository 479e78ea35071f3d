"""What every contender's task does: note that it was run, in one file for all."""

from __future__ import annotations

import os

BROKER = os.environ["BENCH_BROKER"]  # noqa: TID251 - peers have no cloudq.config


_notes = os.open(os.environ["BENCH_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)  # noqa: TID251 - as above


def note(number: int) -> None:
    """Note an execution: one write, which the kernel keeps whole."""
    os.write(_notes, b"%07d\n" % number)
