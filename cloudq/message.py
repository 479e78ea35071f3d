"""The message: one call of a task on its way, and the ids that messages bear."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["Message", "copy_id", "derived_id", "new_id", "new_ids"]


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""A digit of noise as one that begins with the two bits of RFC 9562's variant."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Message(NamedTuple):
    """One call of a task. Immutable; `cloudq.codec` writes it to the wire and reads it back.

    A tuple, since each is made anew for every run, and a frozen dataclass of so many fields takes longer to
    make than its JSON to read. Arguments are JSON values here: `cloudq.arguments` turns them into what the
    function takes.
    """

    id: str
    """Survives redelivery, retries and redrive."""
    task: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = _NOTHING
    eta: float | None = None
    """Not to be run before this instant (seconds since the epoch)."""
    expires: float | None = None
    """Not to be run after this instant (seconds since the epoch)."""
    retries: int = 0
    """Attempts that failed before this copy was written."""
    generation: int = 0
    """Raised by a redrive or a re-run: attempts start anew, results of older generations no longer count."""
    retry: Mapping[str, Any] | None = None
    """What overrides the task's own retry policy for this call."""
    root: str | None = None
    parent: str | None = None
    group: str | None = None
    chord: Mapping[str, Any] | None = None
    next: Sequence[Mapping[str, Any]] = ()
    """The rest of a chain."""
    on_error: Mapping[str, Any] | None = None
    trace: str | None = None
    """W3C traceparent. Source: W3C Trace Context, section 3.2, read 2026-11."""
    headers: Mapping[str, str] = _NOTHING
    ref: str | None = None
    """Where the real body lies (claim check)."""
    sent: str | None = None
    """When it was sent, as RFC 3339 has it; see `sent_at`."""
    topic: str | None = None
    """What it was published to; its copies in the queues that subscribe are messages of their own."""

    @property
    def sent_at(self) -> float | None:
        """When it was sent (seconds since the epoch).

        Raises:
            ValueError: The sender wrote no RFC 3339 time.
        """
        return None if self.sent is None else datetime.fromisoformat(self.sent).timestamp()

    def received_from(self, queue: str) -> Message:
        """This message as that queue's: a copy of a published one has an id, and so a result, of its own."""
        if self.topic is None:
            return self
        return self._replace(id=copy_id(self.id, queue), topic=None, root=self.root or self.id)


def new_id(now: float) -> str:
    """A UUIDv7: sorts by the time it was made. Source: RFC 9562, section 5.7, read 2026-11.

    Args:
        now: Seconds since the epoch.
    """
    return new_ids(now, 1)[0]


def new_ids(now: float, count: int) -> list[str]:
    """So many of what `new_id` makes, in no order among themselves."""
    stamp, noise = f"{int(now * 1000) & 0xFFFFFFFFFFFF:012x}", os.urandom(10 * count).hex()
    head = f"{stamp[:8]}-{stamp[8:]}-7"
    return [
        f"{head}{one[:3]}-{_VARIANT[one[3]]}{one[4:7]}-{one[7:19]}"
        for one in (noise[at : at + 20] for at in range(0, 20 * count, 20))
    ]


def copy_id(id: str, queue: str) -> str:
    """The id that the copy in a queue has of a published message."""
    return derived_id("copy", id, queue)


def derived_id(*parts: str | int) -> str:
    """A UUIDv8 that follows from `parts` alone, so that whoever repeats a step makes the same message.

    Source: RFC 9562, section 5.8, read 2026-11.
    """
    # As JSON, so that ("a", "b") and ("ab",), 1 and "1" don't meet.
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    value = int.from_bytes(digest[:16])
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
