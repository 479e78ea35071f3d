"""Commands and scripts as they go over the wire."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

__all__ = ["MOST", "Call", "Script", "Word", "command", "parts"]

MOST = 500
"""Things that a call is given at most: everybody waits while it is done, and Lua takes 8,000 arguments."""


Word = bytes | str | int

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One command.

    Args:
        packed: As the wire has it.
        script: The script that it runs, if it runs one.
    """

    packed: bytes
    script: Script | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script, which the server knows by its digest once it has seen it.

    Args:
        text: The source.
    """

    text: str
    _head: bytes = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "_head", _packed(["EVALSHA", digest]))

    def call(self, keys: Sequence[Word], arguments: Iterable[Word]) -> Call:
        """Run it."""
        words = [len(keys), *keys, *arguments]
        return Call(b"*%d\r\n%b%b" % (2 + len(words), self._head, _packed(words)), self)

    def load(self) -> Call:
        """Make it known to the server."""
        return command("SCRIPT", "LOAD", self.text)


def command(*words: Word) -> Call:
    """A command of Redis's own."""
    return Call(b"*%d\r\n%b" % (len(words), _packed(words)))


def parts(things: Sequence[T]) -> Iterator[Sequence[T]]:
    """At most `MOST` of them at a time."""
    return (things[at : at + MOST] for at in range(0, len(things), MOST))


def _packed(words: Sequence[Word]) -> bytes:
    # redis-py's own packing costs three times as much a word, and a batch has hundreds.
    # Source: Redis serialization protocol specification, arrays and bulk strings, read 2026-11.
    data = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"".join([b"$%d\r\n%b\r\n" % (len(one), one) for one in data])
