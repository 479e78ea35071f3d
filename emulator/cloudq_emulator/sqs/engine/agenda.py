"""What is due when."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_SLACK = 64
"""Dead entries that are tolerated besides as many as there are live ones."""


class Agenda(Generic[T]):
    """Things with a due moment each; setting a new one forgets the old, all in O(log n).

    Invariant: an entry of the heap counts only if it bears its item's current token; entries that lost
    theirs are skipped when they surface, and swept once they outnumber the live ones.
    """

    __slots__ = ("_heap", "_next", "_tokens")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._tokens: dict[T, int] = {}
        self._next = itertools.count().__next__

    def __len__(self) -> int:
        return len(self._tokens)

    def put(self, item: T, at: float) -> None:
        """Have `item` due `at`, and at no other time."""
        token = self._next()
        self._tokens[item] = token
        heapq.heappush(self._heap, (at, token, item))
        if len(self._heap) > 2 * len(self._tokens) + _SLACK:
            self._sweep()

    def drop(self, item: T) -> None:
        """Forget `item`, if it is there."""
        if self._tokens.pop(item, None) is not None and len(self._heap) > 2 * len(self._tokens) + _SLACK:
            self._sweep()

    def has_due(self, now: float) -> bool:
        """Whether to call `due`: it may still find nothing."""
        return bool(self._heap) and self._heap[0][0] <= now

    def due(self, now: float) -> Iterator[T]:
        """Take out, one by one and the earliest first, what is due by `now`."""
        heap, tokens = self._heap, self._tokens
        while heap and heap[0][0] <= now:
            _, token, item = heapq.heappop(heap)
            if tokens.get(item) == token:
                del tokens[item]
                yield item

    def times(self) -> dict[T, float]:
        """When each is due."""
        return {item: at for at, token, item in self._heap if self._tokens.get(item) == token}

    def next_at(self) -> float | None:
        """When the next thing is due."""
        heap, tokens = self._heap, self._tokens
        while heap and tokens.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        self._tokens.clear()

    def _sweep(self) -> None:
        tokens = self._tokens
        self._heap[:] = [entry for entry in self._heap if tokens.get(entry[2]) == entry[1]]
        heapq.heapify(self._heap)
