"""What ran in a process that died, with others beside it: any of them may have killed it."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Suspects"]

MOST = 10_000


class Suspects:
    """The ids of messages that are run alone when they come again; the oldest beyond `MOST` are cleared."""

    def __init__(self) -> None:
        self.ids: dict[str, None] = {}

    def add(self, messages: Iterable[str]) -> None:
        """These ran together in a process that died."""
        self.ids |= dict.fromkeys(messages)
        for oldest in list(self.ids)[:-MOST]:
            del self.ids[oldest]

    def clear(self, message: str) -> None:
        """It ran to its end."""
        self.ids.pop(message, None)
