"""Tasks for the tests that run a real worker. Each leaves a line in a file, so that runs can be counted."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cloudq
from cloudq.tasks import BoundTask

if TYPE_CHECKING:
    import asyncio

app = cloudq.App("trial")


def leave(path: str, line: object) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task
def mark(path: str, number: int, seconds: float = 0.0) -> int:
    time.sleep(seconds)
    leave(path, number)
    return number


@app.task
def start_then_mark(path: str, number: int, seconds: float) -> None:
    leave(path, f"started {number}")
    time.sleep(seconds)
    leave(path, f"ended {number}")


@app.task
def wait_at_gate(path: str) -> None:
    """Ends when a file beside `path` is there."""
    leave(path, "waits")
    while not Path(path).with_suffix(".gate").exists():
        time.sleep(0.01)
    leave(path, "passed")


@app.task(bind=True, retries=2, backoff=0.05)
def third_time_lucky(self: BoundTask) -> int:
    if self.request.retries < 2:
        raise ConnectionError("not yet")
    return self.request.retries


@app.task(retries=0)
def fail() -> None:
    raise LookupError("nothing there")


@app.task(bind=True, retries=1, backoff=0.05)
def fail_until_mended(self: BoundTask, path: str, number: int) -> int:
    leave(path, f"{number}: attempt {self.request.retries + 1}")
    if not Path(f"{path}.mended").exists():
        raise LookupError(f"number {number}")
    return number


@app.task(bind=True)
def die_once(self: BoundTask, path: str) -> str:
    leave(path, f"receive {self.request.receive_count}")
    if self.request.receive_count == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


@app.task
def exit_process(path: str) -> None:
    leave(path, "run")
    os._exit(3)


@app.task
def fork(path: str) -> str:
    """Both halves return; the worker may hear of one only."""
    return "parent" if os.fork() else "child"


@app.task(time_limit=0.3, retries=1, backoff=0.05)
def too_long(path: str) -> None:
    leave(path, "run")
    time.sleep(60)


@app.task
def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stderr.write(f"{text}\n")


_together = threading.Barrier(4)


@app.task
def meet() -> int:
    """Ends only when four run at once."""
    return _together.wait(timeout=20)


@app.task
async def slept(seconds: float) -> str:
    import asyncio

    await asyncio.sleep(seconds)
    return "slept"


@app.task(retries=0)
async def meet_async() -> int:
    """Ends only when four run at once, in one loop."""
    import asyncio

    _met.append(event := asyncio.Event())
    if len(_met) == 4:
        for one in _met:
            one.set()
    await asyncio.wait_for(event.wait(), 20)
    return len(_met)


_met: list[asyncio.Event] = []


@app.task(retries=0, soft_time_limit=0.3)
def wait_softly(path: str) -> str:
    """Sleeps in short steps, which every pool can interrupt."""
    try:
        while True:
            time.sleep(0.01)
    except cloudq.SoftTimeLimitError:
        leave(path, "cleaned up")
    return "ended by itself"


@app.task(retries=0, soft_time_limit=0.3)
async def wait_softly_async(path: str) -> str:
    import asyncio

    try:
        await asyncio.sleep(60)
    except cloudq.SoftTimeLimitError:
        await asyncio.sleep(0)  # it can still wait
        leave(path, "cleaned up")
    return "ended by itself"


@app.task(retries=0, soft_time_limit=0.2)
def sleep_through() -> None:
    """One long sleep: a signal ends it, in the main thread."""
    time.sleep(60)


@app.task(bind=True, retries=0)
def whoami(self: BoundTask) -> str:
    return self.request.id


@app.task(bind=True, retries=0)
async def whoami_async(self: BoundTask) -> str:
    import asyncio

    from cloudq.request import running

    await asyncio.sleep(0.01)
    request = running.get()
    return request.id if request else ""


@app.task
def pid_after(path: str, kib: int = 0) -> int:
    """Which process ran it; it has had so much in memory meanwhile."""
    block = b"x" * (kib * 1024)
    leave(path, os.getpid())
    return os.getpid() if block is not None else 0


@app.task
def print_in_parts(seconds: float) -> None:
    sys.stdout.write("first half, ")
    sys.stdout.flush()
    time.sleep(seconds)
    sys.stdout.write("second half\n")


@app.task(retries=0)
def columns() -> tuple[bool, int]:
    """What a task sees of the terminal."""
    return sys.stderr.isatty(), os.get_terminal_size(sys.stderr.fileno()).columns
