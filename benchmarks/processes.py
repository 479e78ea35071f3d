"""Servers and workers as processes of their own, and what they cost: CPU time and memory, read from /proc."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_STOPPING = 20.0
"""Seconds a process has to stop after SIGTERM."""


@contextmanager
def running(command: Sequence[str], *, stderr: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a command, its output readable, and stop it in the end."""
    process = subprocess.Popen(list(command), stdout=subprocess.PIPE, stderr=stderr, text=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.communicate(timeout=_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process's threads, to the nanosecond; those that have ended are not in it."""
    return sum(map(_thread_seconds, Path(f"/proc/{pid}/task").iterdir()))


def _thread_seconds(thread: Path) -> float:
    try:
        return int((thread / "schedstat").read_text().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
        return 0.0


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
