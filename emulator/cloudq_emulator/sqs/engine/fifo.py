"""FIFO queues: in which order they hand out, and what they take for a duplicate.

Source: Amazon SQS Developer Guide, "FIFO queue delivery logic" and "Exactly-once processing", read 2026-11.
"""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.message import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudq_emulator.sqs.engine.message import Message

_SLACK: Final = 64
"""Entries of the line that don't count, tolerated besides as many as do."""


class _Group:
    """One group: its ready messages in order, and the numbers of those that are out.

    Never more than a receive's ten are out: what is sent after one of them has to wait for it.
    """

    __slots__ = ("came_at", "name", "out", "ready", "ready_count")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: list[tuple[int, int, Message]] = []
        self.ready_count = 0
        self.out: set[int] = set()
        self.came_at: int | None = None
        """Where it stands in line while it is open."""

    def add(self, message: Message, came_at: int) -> None:
        heapq.heappush(self.ready, (message.number, came_at, message))
        self.ready_count += 1

    def has_before(self, number: float) -> bool:
        """Whether a message sent before the one of this number is ready."""
        if not self.ready_count:
            return False
        while self.ready[0][2].state is not READY:
            heapq.heappop(self.ready)
        return self.ready[0][0] < number

    def first_out(self) -> float:
        """The number of the oldest message that is out; infinite if none is."""
        return min(self.out, default=inf)

    def pop(self) -> Message:
        _, _, message = heapq.heappop(self.ready)
        self.ready_count -= 1
        self.out.add(message.number)
        return message


class FifoLine:
    """Group by group, each in the order of sending; a message waits for those before it that are out.

    Only within one receive may several messages of a group be taken: as many as it asks for. Groups stand in
    the order in which the first messages that they have to give came, or came back.

    Invariant: a group is open if and only if its oldest message that hasn't been settled is ready.
    Invariant: an entry of the line counts only if its group is open and stands there; the others are skipped.
    """

    __slots__ = ("_barrier", "_came", "_groups", "_line", "_of_this_receive", "_open_count")

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._line: list[tuple[int, str]] = []
        self._open_count = 0
        self._came = itertools.count().__next__
        self._of_this_receive: _Group | None = None
        self._barrier = inf

    def begin_receive(self) -> None:
        self._of_this_receive = None

    def arrive(self, message: Message) -> None:
        group = self._groups.get(message.group)
        if group is None:
            group = self._groups[message.group] = _Group(message.group)
        group.add(message, self._came())
        self._update(group)

    def come_back(self, message: Message) -> None:
        group = self._groups[message.group]
        group.out.discard(message.number)
        group.add(message, self._came())
        self._update(group)

    def take(self) -> Message | None:
        group = self._of_this_receive
        if group is None or not group.has_before(self._barrier):
            group = self._first()
            if group is None:
                return None
            self._of_this_receive = group
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
        return self._open_count > 0

    def clear(self) -> None:
        self._groups.clear()
        self._line.clear()
        self._open_count = 0
        self._of_this_receive = None

    def __iter__(self) -> Iterator[Message]:
        for group in self._groups.values():
            in_order = sorted(group.ready, key=itemgetter(0))
            yield from (message for _, _, message in in_order if message.state is READY)

    def _first(self) -> _Group | None:
        line = self._line
        while line:
            came_at, name = line[0]
            group = self._groups.get(name)
            if group is not None and group.came_at == came_at:
                return group
            heapq.heappop(line)
        return None

    def _open(self, group: _Group, came_at: int) -> None:
        if group.came_at == came_at:
            return
        if group.came_at is None:
            self._open_count += 1
        group.came_at = came_at
        heapq.heappush(self._line, (came_at, group.name))
        if len(self._line) > 2 * self._open_count + _SLACK:
            self._sweep()

    def _sweep(self) -> None:
        standing = ((group.came_at, group.name) for group in self._groups.values())
        self._line[:] = [(came_at, name) for came_at, name in standing if came_at is not None]
        heapq.heapify(self._line)

    def _update(self, group: _Group) -> None:
        if group.has_before(group.first_out()):
            self._open(group, group.ready[0][1])
            return
        if group.came_at is not None:
            group.came_at = None
            self._open_count -= 1
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
