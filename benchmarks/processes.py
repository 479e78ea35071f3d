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


def spent_seconds(pid: int) -> float:
    """CPU time of a process and of its children that have ended; to a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that it and its children started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:  # a name in parentheses may hold anything; the parent comes after it and the state
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, ())
    return found


def proportional_bytes(pid: int) -> int:
    """Memory of a process that is in RAM; of what n processes share, one n-th (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"the kernel says nothing of process {pid}'s share")


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
