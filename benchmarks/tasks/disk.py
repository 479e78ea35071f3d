"""What the disk itself can do: no queue that forces each task to it sends faster one by one."""

from __future__ import annotations

import os
from tempfile import TemporaryFile
from time import perf_counter
from typing import Final

_PAGE: Final = bytes(4096)
"""SQLite's page: a commit writes at least one."""

_PAGES: Final = 1000
"""After so many SQLite begins its log anew; a file that doesn't grow is forced to the disk far sooner."""

_ROUNDS: Final = 5


def syncs_per_second() -> float:
    """Pages a second, each forced to the disk that temporary files are on; the best of five rounds."""
    with TemporaryFile(buffering=0) as file:
        file.write(_PAGE * _PAGES)
        os.fsync(file.fileno())
        return max(_round(file.fileno()) for _ in range(_ROUNDS))


def _round(file: int) -> float:
    began = perf_counter()
    for number in range(_PAGES):
        os.pwrite(file, _PAGE, number * len(_PAGE))
        os.fdatasync(file)
    return _PAGES / (perf_counter() - began)
