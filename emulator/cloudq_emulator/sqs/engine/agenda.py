"""What is due when."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

_SLACK = 64
"""Dead entries that are tolerated besides as many as there are live ones."""


class Agenda(Generic[T]):
    """Things with a due moment each; setting a new one forgets the old, all in O(log n).

    Invariant: an entry of the heap counts only if it is its item's latest; others are skipped when they
    surface, and swept once they outnumber those that count.
    """

    __slots__ = ("_entries", "_heap", "_next", "first_at")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._entries: dict[T, tuple[float, int, T]] = {}
        self._next = itertools.count().__next__  # entries of one moment are never compared by their items
        self.first_at = math.inf
        """Before this nothing is due: no need to call `due`. At it something may be, or may not."""

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, item: T, at: float) -> None:
        """Have `item` due `at`, and at no other time."""
        entry = self._entries[item] = (at, self._next(), item)
        heapq.heappush(self._heap, entry)
        if at < self.first_at:  # noqa: PLR1730 - on the hottest path, where a call to min costs more
            self.first_at = at
        if len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._sweep()

    def drop(self, item: T) -> None:
        """Forget `item`, if it is there."""
        if self._entries.pop(item, None) is not None and len(self._heap) > 2 * len(self._entries) + _SLACK:
            self._sweep()

    def due(self, now: float) -> Iterator[T]:
        """Take out, one by one and the earliest first, what is due by `now`."""
        heap, entries = self._heap, self._entries
        while heap and heap[0][0] <= now:
            entry = heapq.heappop(heap)
            if entries.get(entry[2]) is entry:
                del entries[entry[2]]
                yield entry[2]
        self.first_at = heap[0][0] if heap else math.inf

    def due_at(self, item: T) -> float | None:
        """When `item` is due, if it is there."""
        entry = self._entries.get(item)
        return entry[0] if entry is not None else None

    def next_at(self) -> float | None:
        """When the next thing is due."""
        heap, entries = self._heap, self._entries
        while heap and entries.get(heap[0][2]) is not heap[0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        self._entries.clear()
        self.first_at = math.inf

    def _sweep(self) -> None:
        entries = self._entries
        self._heap[:] = [entry for entry in self._heap if entries.get(entry[2]) is entry]
        heapq.heapify(self._heap)
