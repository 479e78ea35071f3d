"""FIFO queues: in which order they hand out, and what they take for a duplicate.

Source: Amazon SQS Developer Guide, "FIFO queue delivery logic" and "Exactly-once processing", read 2026-11.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import TYPE_CHECKING

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.message import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudq_emulator.sqs.engine.message import Message


class _Group:
    """One group's ready messages in order, and how many of its messages are out."""

    __slots__ = ("name", "out_count", "ready", "ready_count")

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready: list[tuple[int, Message]] = []
        self.ready_count = 0
        self.out_count = 0

    def add(self, message: Message) -> None:
        heapq.heappush(self.ready, (message.number, message))
        self.ready_count += 1

    def pop(self) -> Message:
        while True:
            _, message = heapq.heappop(self.ready)
            if message.state is READY:
                self.ready_count -= 1
                return message


class FifoLine:
    """Group by group, each in the order of sending; a group with messages out waits until they are settled.

    Only within one receive may several messages of a group be taken: as many as it asks for.

    Invariant: a group is open if and only if it has ready messages and none out.
    """

    __slots__ = ("_groups", "_of_this_receive", "_open")

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._open: OrderedDict[str, None] = OrderedDict()
        self._of_this_receive: _Group | None = None

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
        group.out_count -= 1
        group.add(message)
        self._update(group)

    def take(self) -> Message | None:
        group = self._of_this_receive
        if group is None or not group.ready_count:
            if not self._open:
                return None
            self._of_this_receive = group = self._groups[next(iter(self._open))]
        group.out_count += 1
        message = group.pop()
        self._update(group)
        return message

    def leave(self, message: Message) -> None:
        group = self._groups[message.group]
        if message.state is READY:
            group.ready_count -= 1  # it stays in the heap until it surfaces
        else:
            group.out_count -= 1
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
        if group.ready_count and not group.out_count:
            self._open.setdefault(group.name)
            return
        self._open.pop(group.name, None)
        if not group.ready_count and not group.out_count:
            del self._groups[group.name]
            if group is self._of_this_receive:
                self._of_this_receive = None


class Duplicates:
    """The deduplication ids of the last five minutes, whatever became of their messages."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], tuple[float, Message]] = OrderedDict()

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
