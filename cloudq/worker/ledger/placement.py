"""Which child has what, and which is given the next message."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudq.worker.ledger.holding import Holding

__all__ = ["Placement", "Rooms"]

Rooms = list[tuple[int, int]]
"""A heap of how many more messages each child takes, negative, and its number."""


@dataclass(slots=True)
class _Child:
    slots: int
    held: set[int] = field(default_factory=set[int])
    left: int | None = None
    """How many more messages it may be given before it is replaced; None for any number."""
    ended: int = 0
    """How many of its runs have ended."""
    ended_before: int = -1
    """The same at the last look; -1 where nothing waited in it."""
    is_stalled: bool = False
    """Whether what waited in it was called back, and no run of it has ended since."""

    @property
    def is_waited_for(self) -> bool:
        """Whether it has more than it can run at once."""
        return len(self.held) > self.slots


class Placement:
    """The children, and what each has.

    A suspect is run in a child that has nothing else, one suspect at a time. While no child is empty, the
    emptiest is given nothing more.
    """

    def __init__(self) -> None:
        self._children: dict[int, _Child] = {}
        self._reserved: int | None = None
        """The child that a suspect runs in, or that is kept free for one."""
        self._has_suspect = False
        """Whether it runs there."""
        self.slots = 0
        """How many messages all of them run at once."""
        self.ended_count = 0
        """How many runs have ended."""
        self.has_waiting = False
        """Whether something may wait in a child behind what runs there."""

    def join(self, child: int, slots: int, most: int | None) -> None:
        """A child is there and runs up to `slots` messages at once, and `most` in all (None: any number)."""
        self._children[child] = _Child(slots, left=most)
        self.slots += slots

    def retire(self, child: int) -> None:
        """A child is to be given nothing more."""
        if child in self._children:
            self._children[child].left = 0

    def spent(self) -> list[int]:
        """The children that are given nothing more and have nothing any more."""
        return [number for number, child in self._children.items() if child.left == 0 and not child.held]

    def leave(self, child: int) -> list[int]:
        """A child is gone; the tags of what it had, in the order in which they were received."""
        gone = self._children.pop(child, None)
        if gone is None:
            return []
        self.slots -= gone.slots
        if child == self._reserved:
            self._reserved, self._has_suspect = None, False
        return sorted(gone.held)

    def rooms(self, window: Callable[[int], int]) -> Rooms:
        """What each child takes now.

        Args:
            window: How many messages a child with so many slots should have.
        """
        if not self._has_suspect:
            self._reserved = None  # whom it was kept free for may be gone
        rooms: Rooms = []
        for number, child in self._children.items():
            room = (child.slots if child.is_stalled else window(child.slots)) - len(child.held)
            if child.left is not None:
                room = min(room, child.left)
            if room > 0 and number != self._reserved:
                rooms.append((-room, number))
        heapq.heapify(rooms)
        return rooms

    def place(self, holding: Holding, rooms: Rooms) -> int | None:
        """Give it to the emptiest child, a suspect to an empty one; None where there is none."""
        number = self._alone() if holding.is_suspect else self._emptiest(rooms)
        if number is None:
            return None
        child = self._children[number]
        child.held.add(holding.tag)
        self.has_waiting = self.has_waiting or child.is_waited_for
        if child.left is not None:
            child.left -= 1
        holding.child = number
        return number

    def take(self, holding: Holding, *, is_begun: bool = True) -> None:
        """Its child has it no longer; of what it hasn't begun it may have another instead."""
        if holding.child is None:
            return
        child, holding.child = self._children.get(holding.child), None
        if child is None:
            return
        child.held.discard(holding.tag)
        if is_begun:
            child.ended += 1
            child.is_stalled = False
            self.ended_count += 1
        if holding.is_suspect:
            self._reserved, self._has_suspect = None, False
        if not is_begun and child.left:
            child.left += 1

    def stalled(self) -> list[int]:
        """The children in which something has waited since the last look, and no run has ended since then.

        They are given nothing more to wait there until one does.
        """
        found: list[int] = []
        self.has_waiting = False
        for number, child in self._children.items():
            if not child.is_waited_for:
                child.ended_before = -1
                continue
            self.has_waiting = True
            if child.ended == child.ended_before:
                child.is_stalled = True
                found.append(number)
            child.ended_before = child.ended
        return found

    def _alone(self) -> int | None:
        if self._has_suspect:
            return None
        able = [number for number, child in self._children.items() if child.left != 0]
        self._reserved = min(able, key=lambda number: len(self._children[number].held), default=None)
        if self._reserved is None or self._children[self._reserved].held:
            return None
        self._has_suspect = True
        return self._reserved

    def _emptiest(self, rooms: Rooms) -> int | None:
        while rooms:
            room, number = rooms[0]
            if number == self._reserved:
                heapq.heappop(rooms)
                continue
            if room < -1:
                heapq.heapreplace(rooms, (room + 1, number))
            else:
                heapq.heappop(rooms)
            return number
        return None
