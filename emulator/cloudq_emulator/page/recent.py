"""The latest requests, remembered from the moment that somebody looks."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from cloudq_emulator.clock import real_now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudq_emulator.counts import RequestCounts

_KEPT: Final = 50


class Seen(NamedTuple):
    """One request; `at` is real time, and a `status` of 0 stands for no answer."""

    at: float
    service: str
    operation: str
    queue: str
    status: int


class Recent:
    """The latest requests.

    Args:
        counts: Through whose hands all of them go.
    """

    def __init__(self, counts: RequestCounts) -> None:
        self._counts = counts
        self._seen: deque[Seen] | None = None

    def __iter__(self) -> Iterator[Seen]:
        """The newest first. The first look begins to remember."""
        if self._seen is None:
            self._seen = deque(maxlen=_KEPT)
            self._counts.watch(self._see)
        return reversed(self._seen)

    def _see(self, service: str, operation: str, queue: str, status: int) -> None:
        if self._seen is not None:
            self._seen.append(Seen(real_now(), service, operation, queue, status))
