"""The ledger: what a worker holds, who runs it, and what is due next. Pure: no I/O, time is a parameter.

A delivery that is admitted is a holding until its lease is ended. It goes through

    READY → ASSIGNED (→ RUNNING) → FINISHED (→ kept) → settled, gone

and, whatever its state, its lease is extended in time. That a quick run has begun is learnt only when its end
is told. What must be kept before a lease may be ended (a record, what follows) is kept first, while the lease
can still be extended. Times are readings of one monotonic clock, in seconds.

Invariant: at most one lease-changing request (an extension or a settlement) of a holding is under way. So no
extension that was sent before a release can arrive after it and overwrite its delay.

Invariant: a holding leaves the ledger only when the broker has ended its lease or the lease has run out.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count

from cloudq.delivery import Answer, Dead, Delivery, Done, Execution, Ignored, Lost, Requeue, Settled, Unknown
from cloudq.queues import FIFO_SUFFIX

__all__ = ["Holding", "Ledger", "State"]

HORIZON = 0.05
"""Seconds of work that a worker holds ahead of what runs: a receive's round trip or two."""
PAID_HORIZON = 1.0
"""The same where each request is paid for: enough to fill requests, and not so much that it is hoarding."""
LINGER = 0.2
"""Seconds for which what has ended waits there for company, unless nothing else is held."""
CHILD_HORIZON = 0.01
"""Seconds of work that wait in a child behind what runs; a slow task holds them up."""
MOST_AHEAD = 1000
MOST_IN_CHILD = 250
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
        group: What it must keep its place in; None where order doesn't matter.
        child: Who has it.
        limit: Seconds that its run may take; None for any.
        kill_at: When its run is to be stopped; None for never.
        execution: What its run came to.
        is_kept: Whether nothing has to be kept any more before its lease may be ended.
        is_keeping: Whether that is under way.
        is_changing: Whether a lease-changing request is under way.
        is_lost: Whether its lease is somebody else's by now.
        is_suspect: Whether it ran in a process that died, with others beside it: it is run alone.
        not_before: When its next settlement may go out.
        tries: Attempts to keep or to settle that came to nothing.
    """

    tag: int
    delivery: Delivery
    lease_until: float
    group: tuple[str, str] | None = None
    state: State = State.READY
    child: int | None = None
    limit: float | None = None
    kill_at: float | None = None
    execution: Execution | None = None
    is_kept: bool = False
    is_keeping: bool = False
    is_changing: bool = False
    is_lost: bool = False
    is_suspect: bool = False
    not_before: float = 0.0
    tries: int = 0


@dataclass(slots=True)
class _Child:
    slots: int
    held: set[int] = field(default_factory=set[int])
    is_reserved: bool = False
    """For a suspect: given nothing else until that one has run, or, before, until it is empty."""
    left: int | None = None
    """How many more messages it may be given before it is replaced; None for any number."""


class Ledger:
    """What a worker holds.

    Args:
        lease: Seconds of a lease, as received and as extended.
        must_keep: Whether an execution has something to be kept before its lease may be ended.
        paid_batch: How many messages one request carries where each is paid for (`Limits.paid_batch`).
    """

    def __init__(
        self,
        *,
        lease: float,
        must_keep: Callable[[Execution], bool] = lambda _: False,
        paid_batch: int | None = None,
    ) -> None:
        self._lease = lease
        self._paid_batch = paid_batch
        self._lingers_since: float | None = None
        self._must_keep = must_keep
        self._tags = count(1)
        self._held: dict[int, Holding] = {}
        self._ready: deque[Holding] = deque()  # what is READY, and some that no longer is
        self._groups: dict[tuple[str, str], deque[Holding]] = {}
        self._children: dict[int, _Child] = {}
        self._slots = 0
        self._limited: dict[int, Holding] = {}
        self._finished = 0
        self._to_keep: list[Holding] = []
        self._to_settle: list[Holding] = []
        self._waiting: dict[int, Holding] = {}  # for an extension's answer, or for another try
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

    def join(self, child: int, slots: int, most: int | None = None) -> None:
        """A child is there and runs up to `slots` messages at once, and `most` in all."""
        self._children[child] = _Child(slots, left=most)
        self._slots += slots

    def retire(self, child: int) -> None:
        """A child is to be given nothing more."""
        if child in self._children:
            self._children[child].left = 0

    def spent(self) -> list[int]:
        """The children that are given nothing more and hold nothing any more."""
        return [number for number, child in self._children.items() if child.left == 0 and not child.held]

    def leave(self, child: int) -> list[Holding]:
        """A child is gone. What it hadn't begun is ready again; what it had begun is returned."""
        gone = self._children.pop(child, None)
        self._slots -= gone.slots if gone else 0
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
        batch = self._paid_batch
        ahead = _ahead(self._slots, self._mean, HORIZON if batch is None else PAID_HORIZON, MOST_AHEAD)
        if self._bytes >= MOST_BYTES or self._finished >= max(MOST_UNSETTLED, 2 * ahead):
            return 0
        room = self._slots + ahead - (len(self._held) - self._finished)
        if batch is not None:
            return room - room % batch if room >= batch else room if room >= max(1, ahead) else 0
        return room if room >= max(1, ahead // 4) else 0

    def admit(self, deliveries: Iterable[Delivery], asked_at: float) -> None:
        """Hold what a receive brought; its leases count from before it was sent."""
        for delivery in deliveries:
            group = _group_of(delivery) if delivery.group is not None else None
            holding = Holding(next(self._tags), delivery, asked_at + self._lease, group)
            if self._suspects:
                holding.is_suspect = delivery.id in self._suspects
            self._held[holding.tag] = holding
            self._bytes += len(delivery.body)
            self._ready.append(holding)
            if group is not None:
                self._groups.setdefault(group, deque()).append(holding)

    def assign(self, now: float) -> dict[int, list[Holding]]:
        """Give ready messages to children that have room, the emptiest first."""
        given: dict[int, list[Holding]] = {}
        kept: list[Holding] = []
        rooms = self._rooms()
        has_room = True
        while self._ready and has_room:
            holding = self._ready.popleft()
            if not self._is_ready(holding):
                continue
            if holding.lease_until <= now and not holding.is_changing:
                self._drop(holding)
            elif holding.lease_until <= now or self._must_wait(holding):
                kept.append(holding)
            elif (child := self._place(holding, rooms)) is not None:
                holding.state, holding.child = State.ASSIGNED, child
                self._hand_over(holding, self._children[child])
                given.setdefault(child, []).append(holding)
            else:
                kept.append(holding)
                has_room = holding.is_suspect
        self._ready.extendleft(reversed(kept))
        return given

    def start(self, tag: int, now: float, limit: float | None = None) -> None:
        """A child has begun to run it, and may take `limit` seconds."""
        if (holding := self._held.get(tag)) is None or holding.state is not State.ASSIGNED:
            return
        holding.state = State.RUNNING
        if limit is not None:
            holding.limit, holding.kill_at = limit, now + limit
            self._limited[tag] = holding

    def overdue(self, now: float) -> list[Holding]:
        """What has run past its time limit."""
        return [one for one in self._limited.values() if one.kill_at is not None and one.kill_at <= now]

    def kill_at(self) -> float | None:
        """When the next run will be past its time limit; None where none that runs has one."""
        return min((one.kill_at for one in self._limited.values() if one.kill_at is not None), default=None)

    def hand_back(self, tags: Iterable[int]) -> None:
        """A child gives back what it hasn't begun."""
        held = [self._held[tag] for tag in tags if tag in self._held]
        for holding in held:
            child = self._children.get(holding.child) if holding.child is not None else None
            if child is not None and child.left:
                child.left += 1
            self._take_from_child(holding)
        self._make_ready(held)

    def finish(self, tag: int, execution: Execution) -> None:
        """Its run has ended, or is given up; it waits to be settled."""
        holding = self._held.get(tag)
        if holding is None or holding.state is State.FINISHED:
            return
        if execution.seconds:
            mean = execution.seconds if self._mean is None else self._mean
            self._mean = mean + _SMOOTHING * (execution.seconds - mean)
        self._take_from_child(holding)
        holding.state, holding.execution = State.FINISHED, execution
        holding.is_kept = not self._must_keep(execution)
        self._finished += 1
        self._queue_up(holding)

    def give_back_ready(self, why: str) -> None:
        """Release all that hasn't been given to a child, as though it had not been received."""
        while self._ready:
            holding = self._ready.popleft()
            if self._is_ready(holding):
                self.finish(holding.tag, Execution(outcome=Requeue(why=why)))

    # Keeping, settling and extending

    def due_records(self, now: float) -> list[Holding]:
        """What has something to be kept now; each is marked until `kept` says what came of it."""
        self._look_at_waiting(now)
        finished, self._to_keep = self._to_keep, []
        due = self._unless_lost(finished, now)
        for holding in due:
            holding.is_keeping = True
        return due

    def kept(self, tag: int, execution: Execution | Unknown, now: float) -> None:
        """What came of keeping: the execution as it is to be settled, or why it isn't sure to be kept."""
        holding = self._held[tag]
        holding.is_keeping = False
        if isinstance(execution, Unknown):
            self._defer(holding, now)
            return
        holding.execution, holding.is_kept, holding.tries = execution, True, 0
        self._queue_up(holding)

    def due_settlements(self, now: float) -> list[Holding]:
        """What is to be settled now; each is marked as changing until `settled` says what came of it."""
        self._look_at_waiting(now)
        finished = self._worth_settling(now)
        due: list[Holding] = []
        for holding in self._unless_lost(finished, now):
            if holding.is_changing:  # extended since it was queued up
                self._waiting[holding.tag] = holding
            else:
                holding.is_changing = True
                due.append(holding)
        return due

    def settled(self, tag: int, answer: Answer, now: float) -> None:
        """What came of a settlement."""
        holding = self._held[tag]
        holding.is_changing = False
        if isinstance(answer, Unknown):
            self._defer(holding, now)
        else:
            self._end(holding, answer)

    def due_extensions(self, now: float) -> list[Holding]:
        """Whose lease is to be extended now; each is marked as changing until `extended`."""
        due: list[Holding] = []
        for holding in self._held.values():
            if holding.lease_until - now > self._lease / 2 or holding.is_changing or holding.is_lost:
                continue
            if holding.lease_until > now:
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
        """When something is due next, if nothing happens meanwhile; None where nothing has ended."""
        if self._to_keep or (self._to_settle and self._lingers_since is None):
            return float("-inf")
        waiting = [one for one in self._waiting.values() if not (one.is_changing and one.is_kept)]
        moments = [one.not_before for one in waiting]
        if self._to_settle and self._lingers_since is not None:
            moments.append(self._lingers_since + LINGER)
        return min(moments, default=None)

    def _worth_settling(self, now: float) -> list[Holding]:
        """Takes what has ended, but for what shall wait a moment, so that its request is full."""
        finished, batch = self._to_settle, self._paid_batch
        is_lonely = self._finished == len(self._held)  # nothing comes that it could wait for
        if batch is None or not finished or is_lonely or any(one.group is not None for one in finished):
            self._to_settle, self._lingers_since = [], None
            return finished
        if self._lingers_since is None:
            self._lingers_since = now
        is_over = now >= self._lingers_since + LINGER
        count = len(finished) if is_over else len(finished) - len(finished) % batch
        if count:
            self._lingers_since = None if count == len(finished) else now
        self._to_settle = finished[count:]
        return finished[:count]

    def _queue_up(self, holding: Holding) -> None:
        """For being kept or settled; what waits for an extension's answer is looked at again."""
        if holding.is_changing and holding.is_kept:
            self._waiting[holding.tag] = holding
        else:
            (self._to_settle if holding.is_kept else self._to_keep).append(holding)

    def _defer(self, holding: Holding, now: float) -> None:
        holding.tries += 1
        holding.not_before = now + min(_LONGEST_BACKOFF, 0.1 * 2.0 ** min(holding.tries, 16))
        self._waiting[holding.tag] = holding

    def _look_at_waiting(self, now: float) -> None:
        for holding in list(self._waiting.values()):
            if holding.not_before <= now and not (holding.is_changing and holding.is_kept):
                del self._waiting[holding.tag]
                self._queue_up(holding)

    def _unless_lost(self, finished: list[Holding], now: float) -> list[Holding]:
        """What has lost its lease is dropped: it would harm the record and the receipt of who runs it now."""
        due: list[Holding] = []
        for holding in finished:
            if holding.is_lost or (holding.lease_until <= now and not holding.is_changing):
                self._drop(holding)
            else:
                due.append(holding)
        return due

    def _must_wait(self, holding: Holding) -> bool:
        """Whether a message before it in its group isn't settled yet."""
        return holding.group is not None and self._groups[holding.group][0] is not holding

    def _is_ready(self, holding: Holding) -> bool:
        return holding.state is State.READY and holding.tag in self._held

    def _rooms(self) -> list[tuple[int, int]]:
        """A heap of how many more each child takes, negative, and its number."""
        rooms: list[tuple[int, int]] = []
        for number, child in self._children.items():
            window = child.slots + _ahead(child.slots, self._mean, CHILD_HORIZON, MOST_IN_CHILD)
            room = window - len(child.held)
            if child.left is not None:
                room = min(room, child.left)
            if room > 0 and not child.is_reserved:
                rooms.append((-room, number))
        heapq.heapify(rooms)
        return rooms

    def _place(self, holding: Holding, rooms: list[tuple[int, int]]) -> int | None:
        """The child to give it to; a suspect needs one to itself, which is emptied for it."""
        if not holding.is_suspect:
            return self._emptiest(rooms)
        able = [number for number, child in self._children.items() if child.left != 0]
        reserved = next((number for number in able if self._children[number].is_reserved), None)
        if reserved is None:
            reserved = min(able, key=lambda one: len(self._children[one].held), default=None)
            if reserved is not None:
                self._children[reserved].is_reserved = True
        return reserved if reserved is not None and not self._children[reserved].held else None

    @staticmethod
    def _hand_over(holding: Holding, child: _Child) -> None:
        child.held.add(holding.tag)
        if child.left is not None:
            child.left -= 1

    def _emptiest(self, rooms: list[tuple[int, int]]) -> int | None:
        while rooms:
            room, number = rooms[0]
            if room < -1 and not self._children[number].is_reserved:
                heapq.heapreplace(rooms, (room + 1, number))
                return number
            heapq.heappop(rooms)
            if not self._children[number].is_reserved:
                return number
        return None

    def _make_ready(self, holdings: Sequence[Holding]) -> None:
        for holding in reversed(holdings):
            holding.state, holding.child = State.READY, None
            self._ready.appendleft(holding)

    def _take_from_child(self, holding: Holding) -> None:
        if holding.limit is not None:
            self._limited.pop(holding.tag, None)
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
        if self._held.pop(holding.tag, None) is None:
            return
        if holding.state is State.FINISHED:
            self._finished -= 1
            self._waiting.pop(holding.tag, None)
        self._bytes -= len(holding.delivery.body)
        if holding.group is not None:
            group = self._groups[holding.group]
            group.remove(holding)
            if not group:
                del self._groups[holding.group]


def _group_of(delivery: Delivery) -> tuple[str, str] | None:
    if delivery.group is None or not delivery.queue.endswith(FIFO_SUFFIX):
        return None
    return delivery.queue, delivery.group


def _ahead(slots: int, mean: float | None, horizon: float, most: int) -> int:
    """How many messages to hold beyond those that run: what starts within the horizon."""
    if mean is None:
        return 0
    return int(min(most, slots * horizon / max(mean, 1e-6)))
