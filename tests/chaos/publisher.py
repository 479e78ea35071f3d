"""Sends a chaos run's messages, whatever becomes of the broker: `python publisher.py TASKS GROUPS SECONDS`.

It says what it isn't sure of: a chunk that failed is sent again, and its numbers go to the file `resent`, as
each of them may be in the queue twice.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import chaos_app
from publisher_plan import CHUNK, kind_of

from cloudq.errors import BrokerError

FOLDER = Path(os.environ["CLOUDQ_TEST_CHAOS"])
DEADLINE = 120.0


def insist(send: Callable[[], object], names: list[str]) -> None:
    """Send until the broker has taken it."""
    until = time.monotonic() + DEADLINE
    while True:
        try:
            send()
        except BrokerError as error:
            with (FOLDER / "resent").open("a") as file:
                file.writelines(f"{name}\n" for name in names)
            print(f"again: {error}", file=sys.stderr, flush=True)
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def send_chunk(numbers: list[int]) -> None:
    for task in (chaos_app.quick, chaos_app.slow, chaos_app.flaky):
        kind = task.name.rpartition(".")[2]
        mine = [number for number in numbers if kind_of(number) == kind]
        if mine:
            calls = [(number,) for number in mine]
            insist(lambda task=task, calls=calls: task.delay_many(calls), [f"{kind} {one}" for one in mine])


def send_in_line(group: int, place: int) -> None:
    # With an id of its own a repeat within five minutes is dropped: nothing to be unsure of.
    def send() -> None:
        chaos_app.in_line.apply_async((group, place), group_id=str(group), dedup_id=f"{group}-{place}")

    insist(send, [])


def batches(total: int) -> Iterator[list[int]]:
    numbers = iter(range(total))
    while chunk := list(itertools.islice(numbers, CHUNK)):
        yield chunk


def main(total: int, groups: int, seconds: float) -> None:
    chunks = list(batches(total))
    started = time.monotonic()
    for index, chunk in enumerate(chunks):
        send_chunk(chunk)
        for group in range(groups):
            send_in_line(group, index)
        # Spread over the run, so that what is killed has something to do.
        ahead = seconds * (index + 1) / len(chunks) - (time.monotonic() - started)
        if ahead > 0:
            time.sleep(ahead)
    (FOLDER / "published").write_text(f"{len(chunks)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
