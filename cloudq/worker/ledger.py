"""The ledger: what a worker holds, who runs it, and what is due next. Pure: no I/O, time is a parameter.

A delivery that is admitted is a holding until its lease is ended. It goes through

    READY → ASSIGNED → RUNNING → FINISHED → (settled, gone)

and, whatever its state, its lease is extended in time. Times are readings of one monotonic clock, in seconds.

Invariant: at most one lease-changing request (an extension or a settlement) of a holding is under way. So no
extension that was sent before a release can arrive after it and overwrite its delay.

Invariant: a holding leaves the ledger only when the broker has ended its lease or the lease has run out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from cloudq.delivery import Answer, Dead, Delivery, Done, Execution, Ignored, Lost, Requeue, Settled, Unknown
from cloudq.queues import FIFO_SUFFIX

__all__ = ["Holding", "Ledger", "State"]

HORIZON = 0.05
"""Seconds of work that a worker holds ahead of what runs: a receive's round trip or two."""
CHILD_HORIZON = 0.01
"""Seconds of work that wait in a child behind what runs; a slow task holds them up."""
MOST_AHEAD = 500
MOST_IN_CHILD = 50
MOST_UNSETTLED = 1000
"""Ended runs that wait for a broker or a backend that doesn't answer, before nothing more is received."""
MOST_SUSPECTS = 10_000
MOST_BYTES = 64 * 1024 * 1024
_SMOOTHING = 0.1
_LONGEST_BACKOFF = 30.0


class State(Enum):
    """Where a holding is."""

    READY = auto()
    ASSIGNED = auto()
    RUNNING = auto()
    FINISHED = auto()


@dataclass(slots=True, eq=False)
class Holding:
    """One delivery that is held.

    Args:
        tag: Its number in this worker.
        delivery: What was received.
        lease_until: When its lease ends unless it is extended.
        state: Where it is.
        child: Who has it.
        kill_at: When its run is to be stopped; None for never.
        execution: What its run came to.
        is_changing: Whether a lease-changing request is under way.
        is_lost: Whether its lease is somebody else's by now.
        is_suspect: Whether it ran in a process that died, with others beside it: it is run alone.
        not_before: When its next lease-changing request may go out.
        tries: Settlements that came to nothing.
    """

    tag: int
    delivery: Delivery
    lease_until: float
    state: State = State.READY
    child: int | None = None
    kill_at: float | None = None
    execution: Execution | None = None
    is_changing: bool = False
    is_lost: bool = False
    is_suspect: bool = False
    not_before: float = 0.0
    tries: int = 0

    @property
    def group(self) -> tuple[str, str] | None:
        """What it must keep its place in; None where order doesn't matter."""
        delivery = self.delivery
        if delivery.group is None or not delivery.queue.endswith(FIFO_SUFFIX):
            return None
        return delivery.queue, delivery.group


@dataclass(slots=True)
class _Child:
    slots: int
    held: set[int] = field(default_factory=set[int])
    is_reserved: bool = False
    """For a suspect: given nothing else until that one has run, or, before, until it is empty."""


class Ledger:
    """What a worker holds.

    Args:
        lease: Seconds of a lease, as received and as extended.
    """

    def __init__(self, *, lease: float) -> None:
        self._lease = lease
        self._tags = count(1)
        self._held: dict[int, Holding] = {}
        self._ready: deque[Holding] = deque()  # what is READY, and some that no longer is
        self._groups: dict[tuple[str, str], deque[Holding]] = {}
        self._children: dict[int, _Child] = {}
        self._finished: dict[int, Holding] = {}
        self._suspects: dict[str, None] = {}
        self._bytes = 0
        self._mean: float | None = None

    def __len__(self) -> int:
        return len(self._held)

    def __getitem__(self, tag: int) -> Holding:
        return self._held[tag]

    def get(self, tag: int) -> Holding | None:
        """A holding; None where its lease has been ended."""
        return self._held.get(tag)

    @property
    def running(self) -> list[Holding]:
        """What runs now."""
        return [holding for holding in self._held.values() if holding.state is State.RUNNING]

    # Children

    def join(self, child: int, slots: int) -> None:
        """A child is there and runs up to `slots` messages at once."""
        self._children[child] = _Child(slots)

    def leave(self, child: int) -> list[Holding]:
        """A child is gone. What it hadn't begun is ready again; what it had begun is returned."""
        gone = self._children.pop(child, None)
        held = [self._held[tag] for tag in sorted(gone.held if gone else ()) if tag in self._held]
        begun = [one for one in held if one.state is State.RUNNING]
        waiting = [one for one in held if one.state is State.ASSIGNED]
        self._make_ready(waiting)
        if len(begun) > 1:
            self._suspects |= dict.fromkeys(one.delivery.id for one in begun)
            for oldest in list(self._suspects)[:-MOST_SUSPECTS]:
                del self._suspects[oldest]
        return begun

    # Supply

    def room(self) -> int:
        """How many more messages to ask for; 0 until there is room worth a request."""
        slots = sum(child.slots for child in self._children.values())
        target = slots + _ahead(slots, self._mean, HORIZON, MOST_AHEAD)
        if self._bytes >= MOST_BYTES or len(self._finished) >= MOST_UNSETTLED:
            return 0
        room = target - (len(self._held) - len(self._finished))
        return room if room >= max(1, (target - slots) // 4) else 0

    def admit(self, deliveries: Iterable[Delivery], asked_at: float) -> None:
        """Hold what a receive brought; its leases count from before it was sent."""
        for delivery in deliveries:
            holding = Holding(next(self._tags), delivery, lease_until=asked_at + self._lease)
            holding.is_suspect = delivery.id in self._suspects
            self._held[holding.tag] = holding
            self._bytes += len(delivery.body)
            self._ready.append(holding)
            if holding.group is not None:
                self._groups.setdefault(holding.group, deque()).append(holding)

    def assign(self, now: float) -> dict[int, list[Holding]]:
        """Give ready messages to children that have room, the emptiest first."""
        given: dict[int, list[Holding]] = {}
        kept: list[Holding] = []
        has_room = True
        while self._ready and has_room:
            holding = self._ready.popleft()
            if not self._is_ready(holding):
                continue
            if holding.lease_until <= now and not holding.is_changing:
                self._drop(holding)
            elif holding.lease_until <= now or self._must_wait(holding):
                kept.append(holding)
            elif (child := self._place(holding)) is not None:
                holding.state, holding.child = State.ASSIGNED, child
                self._children[child].held.add(holding.tag)
                given.setdefault(child, []).append(holding)
            else:
                kept.append(holding)
                has_room = holding.is_suspect
        self._ready.extendleft(reversed(kept))
        return given

    def start(self, tag: int, now: float, limit: float | None = None) -> None:
        """A child has begun to run it, and may take `limit` seconds."""
        if (holding := self._held.get(tag)) is not None and holding.state is State.ASSIGNED:
            holding.state = State.RUNNING
            holding.kill_at = None if limit is None else now + limit

    def overdue(self, now: float) -> list[Holding]:
        """What has run past its time limit."""
        return [one for one in self.running if one.kill_at is not None and one.kill_at <= now]

    def hand_back(self, tags: Iterable[int]) -> None:
        """A child gives back what it hasn't begun."""
        held = [self._held[tag] for tag in tags if tag in self._held]
        for holding in held:
            self._take_from_child(holding)
        self._make_ready(held)

    def finish(self, tag: int, execution: Execution) -> None:
        """Its run has ended, or is given up; it waits to be settled."""
        holding = self._held.get(tag)
        if holding is None or holding.state is State.FINISHED:
            return
        if holding.state is State.RUNNING and execution.seconds:
            mean = execution.seconds if self._mean is None else self._mean
            self._mean = mean + _SMOOTHING * (execution.seconds - mean)
        self._take_from_child(holding)
        holding.state, holding.execution = State.FINISHED, execution
        holding.not_before = 0.0
        self._finished[tag] = holding

    def give_back_ready(self, why: str) -> None:
        """Release all that hasn't been given to a child, as though it had not been received."""
        while self._ready:
            holding = self._ready.popleft()
            if self._is_ready(holding):
                self.finish(holding.tag, Execution(outcome=Requeue(why=why)))

    # Settling and extending

    def due_settlements(self, now: float) -> list[Holding]:
        """What is to be settled now; each is marked as changing until `settled` says what came of it.

        What has lost its lease is dropped: somebody else may run it, whose record and receipt it would harm.
        """
        due: list[Holding] = []
        for holding in list(self._finished.values()):
            if holding.is_changing or holding.not_before > now:
                continue
            if holding.is_lost or holding.lease_until <= now:
                self._drop(holding)
            else:
                holding.is_changing = True
                due.append(holding)
        return due

    def settled(self, tag: int, answer: Answer, now: float) -> None:
        """What came of a settlement."""
        holding = self._held[tag]
        holding.is_changing = False
        if isinstance(answer, Unknown):
            holding.tries += 1
            holding.not_before = now + min(_LONGEST_BACKOFF, 0.1 * 2.0 ** min(holding.tries, 16))
        else:
            self._end(holding, answer)

    def due_extensions(self, now: float) -> list[Holding]:
        """Whose lease is to be extended now; each is marked as changing until `extended`.

        What the broker is about to be asked to settle needs no extension unless that keeps failing.
        """
        due: list[Holding] = []
        for holding in self._held.values():
            if holding.is_changing or holding.is_lost or holding.lease_until - now > self._lease / 2:
                continue
            if holding.lease_until > now and (holding.state is not State.FINISHED or holding.tries):
                holding.is_changing = True
                due.append(holding)
        return due

    def extended(self, tag: int, answer: Answer, asked_at: float) -> None:
        """What came of an extension that was sent at `asked_at`."""
        holding = self._held[tag]
        holding.is_changing = False
        match answer:
            case Settled():
                holding.lease_until = asked_at + self._lease
            case Lost():
                holding.lease_until = float("-inf")
            case Unknown():
                pass  # due again at the next look: the lease has less than half of itself left

    def lapse(self, now: float) -> list[Holding]:
        """What has lost its lease since the last look: what a child has is returned, to be told."""
        told: list[Holding] = []
        for holding in list(self._held.values()):
            if holding.is_lost or holding.is_changing or holding.lease_until > now:
                continue
            if holding.state is State.READY:
                self._drop(holding)
            else:
                holding.is_lost = True
                if holding.child is not None:
                    told.append(holding)
        return told

    def settle_at(self) -> float | None:
        """When the next settlement is due, if nothing happens meanwhile; None where nothing waits for one."""
        return min((one.not_before for one in self._finished.values() if not one.is_changing), default=None)

    def _must_wait(self, holding: Holding) -> bool:
        """Whether a message before it in its group isn't settled yet."""
        return holding.group is not None and self._groups[holding.group][0] is not holding

    def _is_ready(self, holding: Holding) -> bool:
        return holding.state is State.READY and holding.tag in self._held

    def _place(self, holding: Holding) -> int | None:
        """The child to give it to; a suspect needs one to itself, which is emptied for it."""
        if not holding.is_suspect:
            return self._emptiest()
        reserved = next((number for number, child in self._children.items() if child.is_reserved), None)
        if reserved is None:
            reserved = min(self._children, key=lambda one: len(self._children[one].held), default=None)
            if reserved is not None:
                self._children[reserved].is_reserved = True
        return reserved if reserved is not None and not self._children[reserved].held else None

    def _emptiest(self) -> int | None:
        best, most = None, 0
        for number, child in self._children.items():
            if child.is_reserved:
                continue
            window = child.slots + _ahead(child.slots, self._mean, CHILD_HORIZON, MOST_IN_CHILD)
            if window - len(child.held) > most:
                best, most = number, window - len(child.held)
        return best

    def _make_ready(self, holdings: Sequence[Holding]) -> None:
        for holding in reversed(holdings):
            holding.state, holding.child = State.READY, None
            self._ready.appendleft(holding)

    def _take_from_child(self, holding: Holding) -> None:
        if holding.child is not None and holding.child in self._children:
            child = self._children[holding.child]
            child.held.discard(holding.tag)
            child.is_reserved = child.is_reserved and not holding.is_suspect
        holding.child = None

    def _end(self, holding: Holding, answer: Answer) -> None:
        """Its lease is ended."""
        outcome = holding.execution.outcome if holding.execution else None
        if isinstance(answer, Settled) and isinstance(outcome, (Done, Ignored, Dead)):
            self._suspects.pop(holding.delivery.id, None)
            self._forget(holding)
        else:
            self._drop(holding)

    def _drop(self, holding: Holding) -> None:
        """It goes, and its message stays in the queue: so its group goes back, and none overtakes it."""
        mates = list(self._groups.get(holding.group, ())) if holding.group else []
        self._forget(holding)
        for mate in mates:
            if mate.state is State.READY:
                why = "the message before it in its group waits"
                self.finish(mate.tag, Execution(outcome=Requeue(why=why)))

    def _forget(self, holding: Holding) -> None:
        self._take_from_child(holding)
        self._finished.pop(holding.tag, None)
        if self._held.pop(holding.tag, None) is None:
            return
        self._bytes -= len(holding.delivery.body)
        if holding.group is not None:
            group = self._groups[holding.group]
            group.remove(holding)
            if not group:
                del self._groups[holding.group]


def _ahead(slots: int, mean: float | None, horizon: float, most: int) -> int:
    """How many messages to hold beyond those that run: what starts within the horizon."""
    if mean is None:
        return 0
    return int(min(most, slots * horizon / max(mean, 1e-6)))
