"""What a channel's deliveries are up to. Pure: no socket, no lock, time is a parameter.

RabbitMQ has no lease: it shows nobody else what a channel has and hasn't acked. So the broker measures
leases itself, and gives back what has outlived its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from cloudq.brokers.rabbitmq.frames import Content

__all__ = ["Held", "Holdings"]


@dataclass(slots=True)
class Held:
    """A delivery under a lease.

    Args:
        content: What was delivered.
        came_at: When it came, on the monotonic clock.
        until: When its lease ends.
    """

    content: Content
    came_at: float
    until: float

    @property
    def tag(self) -> int:
        return self.content.tag


class Holdings:
    """The deliveries of one channel that aren't settled.

    Each is in one of three places: it waits for a receive, it is held under a lease, or it is being settled
    in more than one step.

    Args:
        longest: Seconds after which a delivery is given back whatever its lease: the server would close the
            channel over it.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._waiting: deque[tuple[Content, float]] = deque()
        self._held: dict[int, Held] = {}
        self._leaving: dict[int, Held] = {}
        self.due_at = float("inf")
        """No lease ends before."""

    @property
    def waiting_count(self) -> int:
        """Deliveries that nobody has received."""
        return len(self._waiting)

    @property
    def held_count(self) -> int:
        """Deliveries under a lease."""
        return len(self._held) + len(self._leaving)

    def count_ended(self, now: float) -> int:
        """Those whose lease has ended, though they haven't been given back yet."""
        leaving = sum(one.until <= now for one in self._leaving.values())
        return leaving + sum(one.until <= now for one in self._held.values())

    def is_returning(self, now: float) -> bool:
        """Whether some whose lease has ended are being given back."""
        return any(one.until <= now for one in self._leaving.values())

    def arrive(self, content: Content, now: float) -> None:
        """The server has delivered it."""
        self._waiting.append((content, now))

    def take(self, limit: int, now: float, lease: float) -> list[Held]:
        """Lease what waits, the oldest first."""
        taken: list[Held] = []
        waiting, held = self._waiting, self._held
        until = now + lease
        while waiting and len(taken) < limit:
            content, came_at = waiting.popleft()
            one = Held(content, came_at, min(until, came_at + self._longest))
            held[content.tag] = one
            taken.append(one)
        if taken:
            self.due_at = min(self.due_at, taken[0].until)
        return taken

    def extend(self, tag: int, now: float, lease: float) -> bool:
        """Let a lease end so many seconds from now; whether there was one."""
        one = self._held.get(tag)
        if one is None or one.until <= now:
            return False
        one.until = min(now + lease, one.came_at + self._longest)
        self.due_at = min(self.due_at, one.until)
        return True

    def leave(self, tag: int, now: float) -> Held | None:
        """Begin to settle one; None where its lease has ended."""
        one = self._held.get(tag)
        if one is None or one.until <= now:
            return None
        del self._held[tag]
        self._leaving[tag] = one
        return one

    def stay(self, tags: Iterable[int]) -> None:
        """Settling these came to nothing: they are held as before."""
        for tag in tags:
            if (one := self._leaving.pop(tag, None)) is not None:
                self._held[tag] = one
                self.due_at = min(self.due_at, one.until)

    def gone(self, tags: Iterable[int]) -> list[tuple[int, bool]]:
        """These are settled; the acks for that: a tag each, and whether it stands for all up to it.

        Invariant: an ack of all up to a tag passes over nothing that isn't settled.
        """
        acked = sorted(tag for tag in tags if self._leaving.pop(tag, None) is not None)
        first = self._first_left()
        whole = sum(tag < first for tag in acked)
        single = [(tag, False) for tag in acked[whole:]]
        return [(acked[whole - 1], whole > 1), *single] if whole else single

    def expire(self, now: float) -> list[Held]:
        """Begin to give back what has outlived its lease."""
        if now < self.due_at:
            return []
        ended = [one for one in self._held.values() if one.until <= now]
        for one in ended:
            del self._held[one.tag]
            self._leaving[one.tag] = one
        self.due_at = min((one.until for one in self._held.values()), default=float("inf"))
        return ended

    def surplus(self, kept: int = 0) -> list[int]:
        """Give up what waits, but for so many; their tags. They are still to be given back."""
        given_up: list[int] = []
        while len(self._waiting) > kept:
            content, _ = self._waiting.pop()
            given_up.append(content.tag)
        return given_up

    def look(self) -> list[Content]:
        """What waits."""
        return [content for content, _ in self._waiting]

    def clear(self) -> list[int]:
        """Forget all that isn't being settled; the tags of it."""
        tags = [*self._held, *(content.tag for content, _ in self._waiting)]
        self._held.clear()
        self._waiting.clear()
        self.due_at = float("inf")
        return tags

    def forget(self, tags: Iterable[int]) -> None:
        """These were given back."""
        for tag in tags:
            self._leaving.pop(tag, None)

    def _first_left(self) -> float:
        waiting = self._waiting[0][0].tag if self._waiting else float("inf")
        return min(min(self._held, default=waiting), min(self._leaving, default=waiting), waiting)
