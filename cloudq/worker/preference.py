"""In what order a worker asks its queues. Pure.

Queues that were named (`-Q a,b`) are asked in that order: the second is emptied once the first is empty. All
of an app's queues take turns at being the first, so that none starves behind another.

Within a queue the highest priority goes first, but never alone: of every `SHARE` messages one may come from a
lower level, so that a flood of what is urgent doesn't stop the rest for ever.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["SHARE", "Preference"]

SHARE = 10
"""Of how many messages one is for the lower levels."""


class Preference:
    """Orders queues.

    Args:
        queues: By name: its levels on the broker, the highest first. A queue without priorities has one.
        is_strict: Whether they are always asked in this order, rather than by turns.
    """

    def __init__(self, queues: Mapping[str, Sequence[str]], *, is_strict: bool) -> None:
        self._levels = dict(queues)
        self._names = list(queues)
        self._is_strict = is_strict
        self._is_flat = all(len(levels) == 1 for levels in queues.values())
        self._base = {level: name for name, levels in queues.items() for level in levels}
        self._above = dict.fromkeys(queues, 0)
        """Messages that came from above the lowest level since the lower ones had their share."""
        self._turns = dict.fromkeys(queues, 0)

    @property
    def names(self) -> list[str]:
        """The queues by name."""
        return list(self._levels)

    def levels(self, name: str) -> Sequence[str]:
        """A queue's queues on the broker, the highest first."""
        return self._levels[name]

    def order(self, room: int, without: Collection[str] = ()) -> tuple[list[str], int]:
        """Which queues on the broker to ask next, in order, and for how many messages.

        Args:
            room: For how many there is room.
            without: Queues that aren't asked, by name.
        """
        names = [name for name in self._names if name not in without]
        if not self._is_strict:
            self._names = [*self._names[1:], *self._names[:1]]
        owed = next((name for name in names if self._above[name] >= SHARE), None)
        asked = [level for name in names if name != owed for level in self._levels[name]]
        if owed is None:
            return asked, room
        # The share is little; the whole room would give the lower levels all there is.
        share = self._above[owed] // SHARE
        self._above[owed] = 0
        return [*self._lower_first(owed), *asked], min(room, share)

    def brought(self, queues: Iterable[str]) -> None:
        """Count what came: of each message the queue on the broker."""
        if self._is_flat:
            return
        for level in queues:
            name = self._base[level]
            if level != self._levels[name][-1]:
                self._above[name] += 1

    def _lower_first(self, name: str) -> list[str]:
        """A queue's levels, another of the lower ones the first each time."""
        highest, *lower = self._levels[name]
        turn = self._turns[name] % len(lower)
        self._turns[name] += 1
        first = lower[-1 - turn]
        return [first, highest, *(level for level in lower if level != first)]
