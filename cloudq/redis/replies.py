"""Answers as they come over the wire.

redis-py makes the connections; what it does for each short answer takes longer than the answer takes to come.
So answers are read past it, by hiredis, which it, too, uses where that is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import hiredis

__all__ = ["Refusal", "Replies"]

_CHUNK = 64 * 1024
_NOT_YET: Final = object()


class Refusal(Exception):
    """What a server answered in place of what was asked for: a code, a blank and a text."""


class Replies:
    """Takes bytes as they come and gives whole answers.

    Args:
        receive: Gives as many bytes as there are, so many at most, and waits for the first; none at the end.
    """

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._reader = hiredis.Reader(
            protocolError=ConnectionAbortedError, replyError=Refusal, notEnoughData=_NOT_YET
        )

    @property
    def has_some(self) -> bool:
        """Whether part of an answer has been received already."""
        return self._reader.has_data()

    def read(self) -> Any:
        """The next answer: bytes, an int, a list of answers, None, or a `Refusal`.

        Raises:
            OSError: The connection ended or broke, or it isn't Redis at its other end.
        """
        while (answer := self._reader.gets()) is _NOT_YET:
            if not (data := self._receive(_CHUNK)):
                raise ConnectionResetError("the server ended the connection")
            self._reader.feed(data)
        return answer
