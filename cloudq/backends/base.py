"""The seam between cloudq and what keeps its state: a small, conditional, expiring key-value store.

A backend passes `cloudq.testing.BackendContract`; the sentences here are that suite's tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Backend", "Change"]


@dataclass(frozen=True, slots=True)
class Change:
    """A value to be set on a condition.

    Args:
        key: As in `Backend.put`.
        value: As in `Backend.put`.
        expected: The value that must be there; None for none.
        ttl: Seconds until it expires; None keeps it.
    """

    key: str
    value: bytes
    expected: bytes | None
    ttl: float | None = None


class Backend(Protocol):
    """Keys to bytes. Thread-safe, shared by every process that names the same URL (but `memory://`).

    Every method raises `BackendUnavailableError` when the store can't be reached; no driver's exception
    crosses it. What has expired is absent, whether or not it has been removed yet. A key is used for a value
    or for a set, never for both.
    """

    def get(self, key: str) -> bytes | None:
        """The value; None where there is none."""
        ...

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of the keys that have one."""
        ...

    def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Set a value, whatever was there.

        Args:
            key: Any text of up to 512 characters.
            value: Any bytes.
            ttl: Seconds until it expires; None keeps it.
        """
        ...

    def put_if(self, changes: Sequence[Change]) -> list[bool]:
        """Make each change whose key has the value that it expects; tells which it made, in their order.

        To look and to set is one step for each; all of them need not be at once.
        """
        ...

    def put_many(self, values: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        """Set several values; each one is set whole, all of them need not be at once."""
        ...

    def delete(self, key: str) -> None:
        """Remove a value or a set; absent is as good."""
        ...

    def add_member(self, key: str, member: str, value: bytes, *, ttl: float | None = None) -> int:
        """Put a member into a set unless it is there; how many members the set has then.

        Args:
            key: The set's; one that isn't there is made.
            member: Which.
            value: What it bears.
            ttl: Seconds from this call until the whole set expires; None keeps it.
        """
        ...

    def members(self, key: str) -> dict[str, bytes]:
        """A set's members with their values; a repeated `add_member` has left the first value."""
        ...

    def wait(self, keys: Sequence[str], timeout: float, *, known: Mapping[str, bytes] | None = None) -> None:
        """Return when one of the keys' values may have changed, or after `timeout` seconds.

        It may return early: read again and look.

        Args:
            keys: Which; values, not sets.
            timeout: Seconds.
            known: What `get_many` said of them; if it says something else by now, return at once. Without
                this a change between that call and this one goes unnoticed.
        """
        ...

    def close(self) -> None:
        """Let go of connections; a `wait` returns at once."""
        ...
