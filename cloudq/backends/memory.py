"""State in this process's memory: gone when it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from threading import Condition

from cloudq.backends.base import Change
from cloudq.clock import Clock
from cloudq.errors import ConfigurationError

__all__ = ["MemoryBackend", "connect"]


def connect(url: str, *, clock: Clock) -> MemoryBackend:
    """Make a backend from `memory://`; each call makes another one.

    Raises:
        ConfigurationError: The URL names something: what is in memory can't be found by a name.
    """
    if url != "memory://":
        raise ConfigurationError(f"Backend URL {url!r}: write memory:// and nothing behind it.")
    return MemoryBackend(clock)


class MemoryBackend:
    """State in this process's memory.

    Args:
        clock: What times to live are measured on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, bytes] = {}
        self._sets: dict[str, dict[str, bytes]] = {}
        self._expires_at: dict[str, float] = {}
        self._expiring: list[tuple[float, str]] = []  # a heap; stale unless `_expires_at` still says so
        self._changed = Condition()
        self._is_closed = False

    def get(self, key: str) -> bytes | None:
        return self.get_many([key]).get(key)

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        with self._changed:
            self._expire()
            return {key: self._values[key] for key in keys if key in self._values}

    def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        self.put_many({key: value}, ttl=ttl)

    def put_if(self, changes: Sequence[Change]) -> list[bool]:
        with self._changed:
            return [self._change(change) for change in changes]

    def put_many(self, values: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        with self._changed:
            self._values.update(values)
            for key in values:
                self._keep(key, ttl)
            self._changed.notify_all()

    def delete(self, key: str) -> None:
        with self._changed:
            self._remove(key)
            self._changed.notify_all()

    def add_member(self, key: str, member: str, value: bytes, *, ttl: float | None = None) -> int:
        with self._changed:
            self._expire()
            members = self._sets.setdefault(key, {})
            members.setdefault(member, value)
            self._keep(key, ttl)
            return len(members)

    def members(self, key: str) -> dict[str, bytes]:
        with self._changed:
            self._expire()
            return dict(self._sets.get(key, {}))

    def wait(self, keys: Sequence[str], timeout: float, *, known: Mapping[str, bytes] | None = None) -> None:
        deadline = self._clock.monotonic() + timeout
        with self._changed:
            present = self.get_many(keys)
            if known is not None and any(known.get(key) != present.get(key) for key in keys):
                return
            while not self._is_closed and self._clock.monotonic() < deadline:
                self._clock.wait(self._changed, deadline)
                if self.get_many(keys) != present:
                    return

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _change(self, change: Change) -> bool:
        fits = self.get(change.key) == change.expected
        if fits:
            self.put(change.key, change.value, ttl=change.ttl)
        return fits

    def _keep(self, key: str, ttl: float | None) -> None:
        if ttl is None:
            self._expires_at.pop(key, None)
            return
        self._expires_at[key] = self._clock.monotonic() + ttl
        heappush(self._expiring, (self._expires_at[key], key))

    def _expire(self) -> None:
        while self._expiring and self._expiring[0][0] <= self._clock.monotonic():
            at, key = heappop(self._expiring)
            if self._expires_at.get(key) == at:
                self._remove(key)

    def _remove(self, key: str) -> None:
        for store in (self._values, self._sets, self._expires_at):
            store.pop(key, None)
