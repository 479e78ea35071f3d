"""How many requests there were, by service, operation, queue and status."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class RequestCounts:
    """Counts every request that was answered."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str, int]] = Counter()
        self._watchers: list[Callable[[str, str, str, int], None]] = []

    def add(self, service: str, operation: str, queue: str, status: int) -> None:
        """Count one."""
        self._counts[service, operation, queue, status] += 1
        if self._watchers:
            for watcher in self._watchers:
                watcher(service, operation, queue, status)

    def watch(self, watcher: Callable[[str, str, str, int], None]) -> None:
        """Have `watcher` called with each request from now on."""
        self._watchers.append(watcher)

    def clear(self) -> None:
        """Begin anew."""
        self._counts.clear()

    def rows(self) -> list[dict[str, Any]]:
        """One row for each combination seen, in order."""
        return [
            {"service": service, "operation": operation, "queue": queue, "status": status, "count": count}
            for (service, operation, queue, status), count in sorted(self._counts.items())
        ]
