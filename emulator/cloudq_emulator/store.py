"""A journal on disk: lines that are there once `append` returns, whatever becomes of this process.

They are written to the kernel, not forced to the disk: they outlive ``kill -9``, not a loss of power.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

logger = logging.getLogger(__name__)

VERSION: Final = 1
"""Of what the lines mean; a journal of another version isn't touched."""
_NAME, _LOCK, _DAMAGED, _NEW = "sqs.journal", "lock", "sqs.journal.damaged", "sqs.journal.new"
_LEAST_BYTES: Final = 64 * 1024 * 1024
_GROWTH: Final = 4
"""A journal that is as many times what it was when it was last written anew is written anew."""


class StoreError(Exception):
    """The folder can't be used; the text says why."""


class Journal:
    """The journal in a folder, held by one process at a time. Each line is a JSON array.

    Args:
        folder: Where it lies; made if it isn't there.

    Raises:
        StoreError: Another process holds it, it is of another version, or the folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = _lock(folder)
        self._file = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size
        self._written_anew_at = self._size

    @property
    def is_long(self) -> bool:
        """Whether it should be written anew."""
        return self._size > max(_LEAST_BYTES, _GROWTH * self._written_anew_at)

    def read(self) -> Iterator[list[Any]]:
        """All lines, in order; what comes after a damaged one is put aside.

        Raises:
            StoreError: It is of another version.
        """
        good = 0
        with (self._folder / _NAME).open("rb") as lines:
            for number, line in enumerate(lines):
                content = _parsed(line)
                if content is None:
                    break
                if number == 0:
                    _check_version(content, self._folder)
                else:
                    yield content
                good += len(line)
        self._cut(good)
        if not good:
            self._write(self._file, _line([{"cloudq": "sqs", "version": VERSION}]))

    def append(self, content: list[Any]) -> None:
        """Add a line.

        Raises:
            OSError: The disk is full, or gone; the line isn't there.
        """
        self._write(self._file, _line(content))

    def write_anew(self, lines: Iterable[list[Any]]) -> None:
        """Let `lines` stand for all that there was; either all of them do or none."""
        new = self._folder / _NEW
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self._size = 0
        for content in ([{"cloudq": "sqs", "version": VERSION}], *lines):
            self._write(file, _line(content))
        new.replace(self._folder / _NAME)
        os.close(self._file)
        self._file, self._written_anew_at = file, self._size

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._file)
        os.close(self._lock)

    def _write(self, file: int, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(file, left) :]
        except OSError:
            with contextlib.suppress(OSError):  # or what comes next would follow half a line
                os.ftruncate(file, self._size)
            raise
        self._size += len(data)

    def _cut(self, good: int) -> None:
        """Take off what is damaged: half a line, if the process was killed while it wrote."""
        if good < self._size:
            with (self._folder / _NAME).open("rb") as whole:
                whole.seek(good)
                (self._folder / _DAMAGED).write_bytes(whole.read())
            os.ftruncate(self._file, good)
            logger.warning(
                "The last %d bytes of %s are damaged and were put aside, in %s",
                *(self._size - good, self._folder / _NAME, _DAMAGED),
                extra={"action": "journal_cut"},
            )
            self._size = good


def _lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"{folder} can't be used: {error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise StoreError(f"{folder} is in use by another emulator.") from error
    return file


def _line(content: list[Any]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)


def _parsed(line: bytes) -> list[Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, list) else None


def _check_version(content: list[Any], folder: Path) -> None:
    match content:
        case [{"cloudq": "sqs", "version": version}] if version == VERSION:
            return
        case [{"cloudq": "sqs", "version": version}]:
            raise StoreError(
                f"{folder} is of version {version}, and this emulator reads and writes {VERSION}: "
                "use the cloudq that wrote it, or another folder."
            )
        case _:
            raise StoreError(f"{folder / _NAME} is no journal of an emulator's.")
