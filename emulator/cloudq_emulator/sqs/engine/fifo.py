"""FIFO queues: in which order they hand out, and what they take for a duplicate.

Source: Amazon SQS Developer Guide, "FIFO queue delivery logic" and "Exactly-once processing", read 2026-11.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from math import inf
from typing import TYPE_CHECKING

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.message import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudq_emulator.sqs.engine.message import Message


class _Group:
    """One group: its ready messages in order, and the numbers of those that are out.

    Never more than a receive's ten are out: what is sent after one of them has to wait for it.
    """

    __slots__ = ("name", "out", "ready", "ready_count")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: list[tuple[int, Message]] = []
        self.ready_count = 0
        self.out: set[int] = set()

    def add(self, message: Message) -> None:
        heapq.heappush(self.ready, (message.number, message))
        self.ready_count += 1

    def has_before(self, number: float) -> bool:
        """Whether a message sent before the one of this number is ready."""
        if not self.ready_count:
            return False
        while self.ready[0][1].state is not READY:
            heapq.heappop(self.ready)
        return self.ready[0][0] < number

    def first_out(self) -> float:
        """The number of the oldest message that is out; infinite if none is."""
        return min(self.out, default=inf)

    def pop(self) -> Message:
        _, message = heapq.heappop(self.ready)
        self.ready_count -= 1
        self.out.add(message.number)
        return message


class FifoLine:
    """Group by group, each in the order of sending; a message waits for those before it that are out.

    Only within one receive may several messages of a group be taken: as many as it asks for.

    Invariant: a group is open if and only if its oldest message that hasn't been settled is ready.
    """

    __slots__ = ("_barrier", "_groups", "_of_this_receive", "_open")

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._open: OrderedDict[str, None] = OrderedDict()
        self._of_this_receive: _Group | None = None
        self._barrier = inf

    def begin_receive(self) -> None:
        self._of_this_receive = None

    def arrive(self, message: Message) -> None:
        group = self._groups.get(message.group)
        if group is None:
            group = self._groups[message.group] = _Group(message.group)
        group.add(message)
        self._update(group)

    def come_back(self, message: Message) -> None:
        group = self._groups[message.group]
        group.out.discard(message.number)
        group.add(message)
        self._update(group)

    def take(self) -> Message | None:
        group = self._of_this_receive
        if group is None or not group.has_before(self._barrier):
            if not self._open:
                return None
            self._of_this_receive = group = self._groups[next(iter(self._open))]
            self._barrier = group.first_out()
            group.has_before(self._barrier)
        message = group.pop()
        self._update(group)
        return message

    def leave(self, message: Message, *, was_ready: bool) -> None:
        group = self._groups[message.group]
        if was_ready:
            group.ready_count -= 1  # it stays in the heap until it surfaces
        else:
            group.out.discard(message.number)
        self._update(group)

    def has_next(self) -> bool:
        return bool(self._open)

    def clear(self) -> None:
        self._groups.clear()
        self._open.clear()
        self._of_this_receive = None

    def __iter__(self) -> Iterator[Message]:
        for group in self._groups.values():
            yield from (message for _, message in sorted(group.ready) if message.state is READY)

    def _update(self, group: _Group) -> None:
        if group.has_before(group.first_out()):
            self._open.setdefault(group.name)
            return
        self._open.pop(group.name, None)
        if not group.ready_count and not group.out:
            del self._groups[group.name]
            if group is self._of_this_receive:
                self._of_this_receive = None


class Duplicates:
    """The deduplication ids of the last five minutes, whatever became of their messages."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], tuple[float, Message]] = OrderedDict()

    def __iter__(self) -> Iterator[tuple[float, Message]]:
        """What is remembered, and since when."""
        return iter(self._seen.values())

    def original(self, scope: str, message: Message, now: float) -> Message | None:
        """The earlier message that this one repeats; if there is none, it is remembered itself.

        Args:
            scope: Where ids are unique: a group, or empty for the whole queue.
            message: The message that was sent.
            now: When.
        """
        self._forget(now)
        key = (scope, message.deduplication)
        seen = self._seen.get(key)
        if seen is not None:
            return seen[1]
        self._seen[key] = (now, message)
        return None

    def _forget(self, now: float) -> None:
        while self._seen:
            key, (sent_at, _) = next(iter(self._seen.items()))
            if now - sent_at < limits.DEDUPLICATION:
                return
            del self._seen[key]
