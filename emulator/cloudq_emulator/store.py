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
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

VERSION: Final = 2
"""Of what the lines mean; a journal of another version isn't touched."""
_NAME, _LOCK, _DAMAGED, _NEW = "sqs.journal", "lock", "sqs.journal.damaged", "sqs.journal.new"
_LEAST_BYTES: Final = 64 * 1024 * 1024
_GROWTH: Final = 4
"""A journal that is as many times what it was when it was last written anew is written anew."""


class StoreError(Exception):
    """The folder can't be used; the text says why."""


class Journal:
    """The journal in a folder, held by one process at a time. Each line is a JSON array.

    It can be written anew while it goes on being written: what is appended meanwhile goes to both, and what
    is new takes the old one's place once it is whole.

    Args:
        folder: Where it lies; made if it isn't there.

    Raises:
        StoreError: Another process holds it, it is of another version, or the folder can't be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = _lock(folder)
        try:
            self._lines = _Lines(folder / _NAME)
            (folder / _NEW).unlink(missing_ok=True)
        except OSError as error:
            os.close(self._lock)
            raise StoreError(f"{folder} can't be used: {error}") from error
        self._new: _Lines | None = None
        self._grow_from(self._lines.size)

    @property
    def path(self) -> Path:
        """The file."""
        return self._folder / _NAME

    @property
    def is_long(self) -> bool:
        """Whether it should be written anew."""
        return self._new is None and self._lines.size > self._long_at

    def read(self) -> Iterator[list[Any]]:
        """All lines, in order; what comes after a damaged one is put aside.

        Raises:
            StoreError: It is of another version.
        """
        good = 0
        with (self.path).open("rb") as lines:
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
            self._lines.write(_FIRST_LINE)

    def append(self, content: list[Any]) -> None:
        """Add a line.

        Raises:
            OSError: The disk is full, or gone; the line isn't there.
        """
        line = _line(content)
        self._lines.write(line)
        if self._new is not None:
            self._add_to(self._new, line)

    def empty(self) -> None:
        """Forget all lines."""
        self.abandon_anew()
        self._lines.cut(0)
        self._lines.write(_FIRST_LINE)
        self._grow_from(self._lines.size)

    def begin_anew(self) -> None:
        """Begin to write it anew."""
        self.abandon_anew()
        try:
            self._new = _Lines(self._folder / _NEW)
        except OSError as error:
            self._give_up(error)
        else:
            self._add_to(self._new, _FIRST_LINE)

    def add_anew(self, content: list[Any]) -> bool:
        """Add a line to the new one alone; whether it goes on, as it doesn't on a full disk."""
        if self._new is not None:
            self._add_to(self._new, _line(content))
        return self._new is not None

    def end_anew(self) -> None:
        """Let the new one stand for all that there was."""
        if self._new is not None:
            (self._folder / _NEW).replace(self.path)
            self._lines.close()
            self._lines, self._new = self._new, None
            self._grow_from(self._lines.size)

    def abandon_anew(self) -> None:
        """Leave it as it is."""
        if self._new is not None:
            self._new.close()
            self._new = None
            (self._folder / _NEW).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the folder."""
        self.abandon_anew()
        self._lines.close()
        os.close(self._lock)

    def _add_to(self, new: _Lines, line: bytes) -> None:
        try:
            new.write(line)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """Go on with the long one, which has everything; it is tried again when that has grown again."""
        logger.warning(
            "%s can't be written anew, and so goes on growing: %s",
            *(self.path, error),
            extra={"action": "journal_long"},
        )
        self.abandon_anew()
        self._grow_from(self._lines.size)

    def _grow_from(self, size: int) -> None:
        self._long_at = max(_LEAST_BYTES, _GROWTH * size)

    def _cut(self, good: int) -> None:
        """Take off what is damaged: half a line, if the process was killed while it wrote."""
        bad = self._lines.size - good
        if bad:
            with (self.path).open("rb") as whole:
                whole.seek(good)
                (self._folder / _DAMAGED).write_bytes(whole.read())
            self._lines.cut(good)
            logger.warning(
                "The last %d bytes of %s are damaged and were put aside, in %s",
                *(bad, self.path, _DAMAGED),
                extra={"action": "journal_cut"},
            )


class _Lines:
    """A file to which lines are added.

    Args:
        path: Where it lies; made if it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self._file).st_size

    def write(self, data: bytes) -> None:
        """Add all of it, or nothing.

        Raises:
            OSError: It can't be written.
        """
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            with contextlib.suppress(OSError):  # or what comes next would follow half a line
                self.cut(self.size)
            raise
        self.size += len(data)

    def cut(self, size: int) -> None:
        """Take off what is behind `size`."""
        os.ftruncate(self._file, size)
        self.size = size

    def close(self) -> None:
        os.close(self._file)


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


_FIRST_LINE: Final = _line([{"cloudq": "sqs", "version": VERSION}])


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
