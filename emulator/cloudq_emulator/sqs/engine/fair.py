"""Fair queues: standard queues whose messages name their groups, so that no noisy one holds up the rest.

Source: Amazon SQS Developer Guide, "How Amazon SQS fair queues work", read 2026-11. Of its two measures the
share of in-flight messages is used; the share of processing time is over a window that AWS doesn't state.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.message import READY
from cloudq_emulator.sqs.engine.ready import StandardLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudq_emulator.sqs.engine.message import Message


class _Group:
    """One group's ready messages by age, and how many of its messages are out."""

    __slots__ = ("out_count", "ready")

    def __init__(self) -> None:
        self.ready: list[tuple[int, int, Message]] = []
        self.out_count = 0

    def head(self) -> int | None:
        """The number of the oldest ready message."""
        ready = self.ready
        while ready and ready[0][2].state is not READY:
            heapq.heappop(ready)
        return ready[0][0] if ready else None


class FairLine:
    """The oldest first, but a noisy group's only when no other has any; messages without a group are quiet.

    No scan grows with the number of groups: at most nine can have over a tenth of what is out each, so at
    most nine are passed over.

    Invariant: the head of every group with ready messages is among `_heads`, maybe with heads of the past.
    """

    __slots__ = ("_groups", "_heads", "_next", "_out_count", "_plain", "_ready_count")

    def __init__(self, plain: StandardLine, out_count: int) -> None:
        self._plain = plain
        self._groups: dict[str, _Group] = {}
        self._heads: list[tuple[int, str]] = []
        self._ready_count = 0  # of messages with a group
        self._out_count = out_count
        self._next = itertools.count().__next__

    def begin_receive(self) -> None:
        """One receive is like another here."""

    def arrive(self, message: Message) -> None:
        if message.group:
            self._add(message)
        else:
            self._plain.arrive(message)

    def come_back(self, message: Message) -> None:
        self._out_count -= 1
        if message.group:
            self._groups[message.group].out_count -= 1
            self._add(message)
        else:
            self._plain.come_back(message)

    def take(self) -> Message | None:
        passed_over: dict[str, int] = {}
        quiet = self._pop_quiet(passed_over)
        plain = self._plain.next_number()
        if quiet is not None and (plain is None or quiet[0] < plain):
            message = self._take_from(quiet[1])
        elif plain is not None:
            message = self._plain.take()
            if quiet is not None:
                heapq.heappush(self._heads, quiet)
        elif passed_over:
            oldest = min(passed_over, key=passed_over.__getitem__)
            del passed_over[oldest]
            message = self._take_from(oldest)
        else:
            message = None
        for name, number in passed_over.items():
            heapq.heappush(self._heads, (number, name))
        self._out_count += message is not None
        return message

    def leave(self, message: Message, *, was_ready: bool) -> None:
        self._out_count -= not was_ready
        if not message.group:
            self._plain.leave(message, was_ready=was_ready)
            return
        group = self._groups[message.group]
        if was_ready:
            self._ready_count -= 1
        else:
            group.out_count -= 1
        if group.head() is None and not group.out_count:
            del self._groups[message.group]

    def hold(self, message: Message) -> None:
        """A ready message goes out without being taken: its lease, though over, is extended."""
        self._out_count += 1
        if message.group:
            self._ready_count -= 1
            self._groups[message.group].out_count += 1
        else:
            self._plain.hold(message)

    def has_next(self) -> bool:
        return self._ready_count > 0 or self._plain.has_next()

    def clear(self) -> None:
        self._plain.clear()
        self._groups.clear()
        self._heads.clear()
        self._ready_count = self._out_count = 0

    def __iter__(self) -> Iterator[Message]:
        entries = (entry for group in self._groups.values() for entry in group.ready)
        grouped = {message for _, _, message in entries if message.state is READY}
        return iter(sorted((*grouped, *self._plain), key=lambda message: message.number))

    def _add(self, message: Message) -> None:
        group = self._groups.get(message.group)
        if group is None:
            group = self._groups[message.group] = _Group()
        head = group.head()
        heapq.heappush(group.ready, (message.number, self._next(), message))
        self._ready_count += 1
        if head is None or message.number < head:
            heapq.heappush(self._heads, (message.number, message.group))

    def _pop_quiet(self, passed_over: dict[str, int]) -> tuple[int, str] | None:
        """The oldest head of a quiet group; those of noisy ones before it go into `passed_over`."""
        while (entry := self._pop_head()) is not None:
            number, name = entry
            if not self._is_noisy(self._groups[name]):
                return entry
            passed_over[name] = number
        return None

    def _pop_head(self) -> tuple[int, str] | None:
        heads = self._heads
        while heads:
            entry = heapq.heappop(heads)
            number, name = entry
            group = self._groups.get(name)
            head = group.head() if group is not None else None
            if head == number:
                while heads and heads[0] == entry:
                    heapq.heappop(heads)
                return entry
            if head is not None and head > number:
                heapq.heappush(heads, (head, name))
        return None

    def _take_from(self, name: str) -> Message:
        group = self._groups[name]
        _, _, message = heapq.heappop(group.ready)
        group.out_count += 1
        self._ready_count -= 1
        head = group.head()
        if head is not None:
            heapq.heappush(self._heads, (head, name))
        return message

    def _is_noisy(self, group: _Group) -> bool:
        out_count = group.out_count
        return out_count >= limits.NOISY_COUNT and out_count > limits.NOISY_SHARE * self._out_count
