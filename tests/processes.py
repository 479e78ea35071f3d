"""Processes that a test watches without having started them."""

from __future__ import annotations

from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether it runs; a killed orphan stays as a zombie until init has reaped it."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return bool(fields) and fields[0] != "Z"


def children_of(pid: int) -> list[int]:
    """Those it has started and not yet buried."""
    return [int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends between opening and reading
        return ""
