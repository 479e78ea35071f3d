"""The whole of what a worker holds: what its supervisor tells and asks.

A delivery that is admitted is a holding until its lease is ended. It goes through

    READY → ASSIGNED (→ RUNNING) → FINISHED (→ kept) → settled, GONE

and, whatever its state, its lease is extended in time. That a run has begun is learnt only when it matters.
Times are readings of one monotonic clock, in seconds.

Invariant: at most one lease-changing request (an extension or a settlement) of a holding is under way. So no
extension that was sent before a release can arrive after it and overwrite its delay.

Invariant: a holding leaves the ledger only when the broker has ended its lease or the lease has run out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import count

from cloudq.delivery import (
    Answer,
    Dead,
    Delivery,
    Done,
    Execution,
    Ignored,
    Outcome,
    Requeue,
    RetryLater,
    Settled,
    Unknown,
)
from cloudq.worker.ledger import leases
from cloudq.worker.ledger.endings import Endings
from cloudq.worker.ledger.groups import Groups, group_of
from cloudq.worker.ledger.holding import Holding, State
from cloudq.worker.ledger.placement import Placement
from cloudq.worker.ledger.recall import Recall
from cloudq.worker.ledger.supply import Supply
from cloudq.worker.ledger.suspects import Suspects

__all__ = ["Ledger"]


class Ledger:
    """What a worker holds.

    Args:
        lease: Seconds of a lease, as received and as extended.
        must_keep: Whether an execution has something to be kept before its lease may be ended.
        paid_batch: How many messages one request carries where each is paid for (`Limits.paid_batch`).
        answers_acks: Whether what is acked is so for sure (`Limits.answers_acks`).
    """

    def __init__(
        self,
        *,
        lease: float,
        must_keep: Callable[[Execution], bool] = lambda _: False,
        paid_batch: int | None = None,
        answers_acks: bool = True,
    ) -> None:
        self._lease = lease
        self._must_keep = must_keep
        self._answers_acks = answers_acks
        self._tags = count(1)
        self._held: dict[int, Holding] = {}
        self._ready: deque[Holding] = deque()  # what is READY, and some that no longer is
        self._finished = 0
        self._size_bytes = 0
        self._groups = Groups()
        self._placement = Placement()
        self._suspects = Suspects()
        self._recall = Recall()
        self._supply = Supply(paid_batch)
        self._endings = Endings(paid_batch)
        self._ended_at: tuple[int, float] | None = None
        """How many runs had ended, and when that was first seen, while something waits here."""
        kinds: tuple[type[Outcome], ...] = (Done, RetryLater, Dead, Requeue, Ignored)
        self.settled_counts: dict[type[Outcome], int] = dict.fromkeys(kinds, 0)
        """How many have been settled, by what their runs came to."""

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

    @property
    def finished_count(self) -> int:
        """How many have run, and still have a lease."""
        return self._finished

    @property
    def slots(self) -> int:
        """How many messages its children run at once."""
        return self._placement.slots

    # Children

    def join(self, child: int, slots: int, most: int | None = None) -> None:
        """A child is there and runs up to `slots` messages at once, and `most` in all."""
        self._placement.join(child, slots, most)

    def retire(self, child: int) -> None:
        """A child is to be given nothing more."""
        self._placement.retire(child)

    def spent(self) -> list[int]:
        """The children that are given nothing more and hold nothing any more."""
        return self._placement.spent()

    def leave(self, child: int) -> list[Holding]:
        """A child is gone. What it hadn't begun is ready again; what it had begun is returned."""
        held = [self._held[tag] for tag in self._placement.leave(child)]
        begun = [one for one in held if one.state is State.RUNNING]
        self._make_ready([one for one in held if one.state is State.ASSIGNED])
        if len(begun) > 1:
            self._suspects.add(one.delivery.id for one in begun)
        return begun

    # From a receive to the end of a run

    def room(self) -> int:
        """How many more messages to ask for; 0 until there is room worth a request."""
        return self._supply.room(
            self._placement.slots,
            unfinished=len(self._held) - self._finished,
            finished=self._finished,
            size_bytes=self._size_bytes,
        )

    def admit(self, deliveries: Iterable[Delivery], asked_at: float) -> None:
        """Hold what a receive brought; its leases count from before it was sent."""
        until = asked_at + self._lease
        known: dict[tuple[str, str], Holding] = {}
        for delivery in deliveries:
            if delivery.receive_count == 1:
                self._ready.append(self._hold(delivery, until))
                continue
            known = known or {_name(one.delivery): one for one in self._held.values()}
            if (held := known.get(_name(delivery))) is not None and leases.renew(held, delivery, until):
                continue
            holding = self._hold(delivery, until)
            if (execution := self._recall.take(delivery, asked_at)) is None:
                self._ready.append(holding)
            else:
                self._conclude(holding, execution, is_kept=True)

    def assign(self, now: float) -> dict[int, list[Holding]]:
        """Give ready messages to children that have room, the emptiest first."""
        given: dict[int, list[Holding]] = {}
        if not self._ready:
            return given
        kept: list[Holding] = []
        rooms = self._placement.rooms(self._supply.window)
        has_room = True
        while self._ready and has_room:
            holding = self._ready.popleft()
            if holding.state is not State.READY:
                continue
            if holding.lease_until <= now and not holding.is_changing:
                self._drop(holding, now)
            elif holding.lease_until <= now or (holding.group and self._groups.is_blocked(holding)):
                kept.append(holding)
            elif (child := self._placement.place(holding, rooms)) is not None:
                holding.state = State.ASSIGNED
                given.setdefault(child, []).append(holding)
            else:
                kept.append(holding)
                has_room = holding.is_suspect
        self._ready.extendleft(reversed(kept))
        return given

    def start(self, tag: int) -> None:
        """A child has begun to run it."""
        if (holding := self._held.get(tag)) is not None and holding.state is State.ASSIGNED:
            holding.state = State.RUNNING

    def hand_back(self, child: int, tags: Iterable[int]) -> None:
        """A child gives back what it hasn't begun."""
        held = [one for tag in tags if (one := self._held.get(tag)) is not None]
        back = [one for one in held if one.child == child and one.state is State.ASSIGNED]
        for holding in back:
            self._placement.take(holding, is_begun=False)
        self._make_ready(back)

    def finish(self, tag: int, execution: Execution) -> None:
        """Its run has ended, or is given up; it waits to be settled."""
        holding = self._held.get(tag)
        if holding is None or holding.state is State.FINISHED:
            return
        if execution.seconds:
            self._supply.learn(execution.seconds)
        self._placement.take(holding)
        self._conclude(holding, execution, is_kept=not self._must_keep(execution))

    def give_back_ready(self, why: str, queues: Collection[str] | None = None) -> None:
        """Release all that hasn't been given to a child, as though it had not been received.

        Args:
            why: For whoever looks.
            queues: Only what came from these; None for any.
        """
        self._give_back(why, lambda holding: queues is None or holding.delivery.queue in queues)

    # What waits behind slow runs

    @property
    def has_waiting(self) -> bool:
        """Whether something may wait behind what runs: ask `stalled` every `CHILD_PATIENCE` seconds."""
        return self._placement.has_waiting or bool(self._ready)

    def stalled(self, now: float) -> list[int]:
        """The children that are to give back what they haven't begun, since what runs there takes long.

        What has waited here in vain for a while is released, for other workers to run; but for what only this
        one can: the next of a group that runs here, and suspects.
        """
        count = self._placement.ended_count
        if not self._ready:
            self._ended_at = None
        elif self._ended_at is None or self._ended_at[0] != count:
            self._ended_at = (count, now)
        elif now >= self._ended_at[1] + self._supply.patience:
            self._ended_at = (count, now)
            if self._give_back("all that runs here takes long", self._is_for_any):
                self._supply.stall()
        return self._placement.stalled()

    def _is_for_any(self, holding: Holding) -> bool:
        is_behind = holding.group is not None and self._groups.is_blocked(holding)
        return not (is_behind or holding.is_suspect)

    # Keeping and settling

    def due_records(self, now: float) -> list[Holding]:
        """What has something to be kept now; each is asked for once, until `kept` says what came of it."""
        return self._unless_lost(self._endings.take_to_keep(now), now)

    def kept(self, tag: int, execution: Execution | Unknown, now: float) -> None:
        """What came of keeping: the execution as it is to be settled, or why it isn't sure to be kept."""
        holding = self._held[tag]
        if isinstance(execution, Unknown):
            self._endings.defer(holding, now)
            return
        holding.execution, holding.is_kept, holding.tries = execution, True, 0
        self._endings.add(holding)

    def due_settlements(self, now: float) -> list[Holding]:
        """What is to be settled now; each is marked as changing until `settled` says what came of it."""
        is_all = self._finished == len(self._held)
        due: list[Holding] = []
        for holding in self._unless_lost(self._endings.take_to_settle(now, is_all=is_all), now):
            if holding.is_changing:  # extended since it was queued up
                self._endings.add(holding)
            else:
                holding.is_changing = True
                due.append(holding)
        return due

    def settled(self, tag: int, answer: Answer, now: float) -> None:
        """What came of a settlement."""
        holding = self._held[tag]
        holding.is_changing = False
        if isinstance(answer, Unknown):
            self._endings.defer(holding, now)
            return
        outcome = holding.execution.outcome if holding.execution else None
        if isinstance(answer, Settled) and outcome is not None:
            self.settled_counts[type(outcome)] += 1
        if isinstance(answer, Settled) and isinstance(outcome, (Done, Ignored, Dead)):
            if holding.is_suspect:
                self._suspects.clear(holding.delivery.id)
            if not (self._answers_acks or isinstance(outcome, Dead)):
                self._recall.remember_ack(holding.delivery)
            self._forget(holding)
        else:
            self._drop(holding, now)

    def settle_at(self) -> float | None:
        """When something is to be kept or settled next; None where nothing has ended."""
        return self._endings.next_at()

    # Leases

    def due_extensions(self, now: float) -> list[Holding]:
        """Whose lease is to be extended now; each is marked as changing until `extended`."""
        return leases.begin_extensions(self._held.values(), now, self._lease)

    def extended(self, tag: int, answer: Answer, asked_at: float) -> None:
        """What came of an extension that was sent at `asked_at`."""
        leases.end_extension(self._held[tag], answer, asked_at + self._lease)

    def lapse(self, now: float) -> list[Holding]:
        """What has lost its lease since the last look: what a child has is returned, to be told."""
        told: list[Holding] = []
        for holding in leases.lapsed(self._held.values(), now):
            if holding.state is State.READY:
                self._drop(holding, now)
            elif holding.state is not State.FINISHED:  # as a group-mate of one that was dropped
                holding.is_lost = True
                told.append(holding)
        return told

    def _unless_lost(self, ended: list[Holding], now: float) -> list[Holding]:
        """What has lost its lease is dropped: it would harm the record and the receipt of who runs it now."""
        due: list[Holding] = []
        for holding in ended:
            if holding.is_lost or (holding.lease_until <= now and not holding.is_changing):
                self._drop(holding, now)
            else:
                due.append(holding)
        return due

    def _make_ready(self, holdings: Sequence[Holding]) -> None:
        for holding in reversed(holdings):
            holding.state, holding.child = State.READY, None
            self._ready.appendleft(holding)

    def _give_back(self, why: str, is_meant: Callable[[Holding], bool]) -> bool:
        """Release those of what no child has that are meant; tells whether there were any."""
        ready, self._ready = self._ready, deque()
        has_any = False
        for holding in ready:
            if holding.state is not State.READY:
                continue
            if is_meant(holding):
                self.finish(holding.tag, Execution(outcome=Requeue(why=why)))
                has_any = True
            else:
                self._ready.append(holding)
        return has_any

    def _hold(self, delivery: Delivery, until: float) -> Holding:
        group = group_of(delivery) if delivery.group is not None else None
        holding = Holding(next(self._tags), delivery, until, group)
        self._held[holding.tag] = holding
        if suspects := self._suspects.ids:
            holding.is_suspect = delivery.id in suspects
        self._size_bytes += len(delivery.body)
        if group is not None:
            self._groups.join(holding)
        return holding

    def _conclude(self, holding: Holding, execution: Execution, *, is_kept: bool) -> None:
        holding.state, holding.execution, holding.is_kept = State.FINISHED, execution, is_kept
        self._finished += 1
        self._endings.add(holding)

    def _drop(self, holding: Holding, now: float) -> None:
        """It goes, and its message stays in the queue: so its group goes back, and none overtakes it."""
        self._recall.remember(holding, now)
        for mate in self._forget(holding):
            if mate.state is State.READY:
                why = "the message before it in its group waits"
                self.finish(mate.tag, Execution(outcome=Requeue(why=why)))

    def _forget(self, holding: Holding) -> list[Holding]:
        """It is held no longer; what of its group still is."""
        del self._held[holding.tag]
        self._size_bytes -= len(holding.delivery.body)
        if holding.state is State.FINISHED:
            self._finished -= 1
            self._endings.discard(holding)
        holding.state = State.GONE
        return self._groups.leave(holding) if holding.group else []


def _name(delivery: Delivery) -> tuple[str, str]:
    """What tells messages apart: a topic's copies in several queues have one id."""
    return delivery.queue, delivery.id
