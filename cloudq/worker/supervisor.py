"""The supervisor: the loop around the ledger. It holds the broker and runs no user code.

Receiving, settling and extending block, so each has a lane. It handles what it brings back itself, with the
loop's turn; the loop's thread handles what children say. Nothing here decides: the ledger says what is due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cloudq.app import App
from cloudq.clock import Clock
from cloudq.delivery import Dead, Delivery, Done, RetryLater
from cloudq.errors import CloudqError
from cloudq.execution import given_back
from cloudq.settling import Settler
from cloudq.worker.children import Children
from cloudq.worker.crew import Crew, Exited
from cloudq.worker.fetch import Fetcher
from cloudq.worker.frames import FrameError, unpack_execution
from cloudq.worker.keeper import Keeper
from cloudq.worker.ledger import CHILD_PATIENCE, Ledger
from cloudq.worker.loop import Loop
from cloudq.worker.pausing import PauseWatch
from cloudq.worker.post_mortem import PostMortem
from cloudq.worker.preference import Preference
from cloudq.worker.settle import Settling
from cloudq.worker.snapshot import Snapshot
from cloudq.worker.tally import Tally
from cloudq.worker.time_limits import TimeLimits

__all__ = ["Plan", "Supervisor"]

logger = logging.getLogger(__name__)

_LAST_SETTLING = 10.0
"""Seconds past the grace time for which a broker that doesn't answer is asked again to settle what ended with
it. What ended before has been tried in the grace time."""
_HURRIED_SETTLING = 2.0
"""Seconds for which a worker that is to stop at once goes on settling, as long as the broker answers."""
_EARLY_DEATHS = 3
"""Children in a row that may die before they are ready, before the worker gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a worker is to do.

    Args:
        queues: Where it receives.
        is_strict: Whether a queue is asked only when those before it are empty.
        children: How many it has.
        slots: How many messages each runs at once.
        lease: Seconds of a lease.
        max_tasks: Messages that a child is given before it is replaced; None for any number.
        grace: Seconds that what runs is given when the worker stops.
        is_burst: Whether it ends when the queues are empty.
    """

    queues: Sequence[str]
    is_strict: bool = False
    children: int = 1
    slots: int = 1
    lease: float = 60.0
    max_tasks: int | None = None
    grace: float = 30.0
    is_burst: bool = False


class Supervisor:
    """Receives, hands out, keeps leases, settles.

    Args:
        app: The app's broker, backend and queues; its tasks aren't needed.
        snapshot: What is known of its tasks.
        crew: Where children come from.
        plan: What to do.
        clock: Time.
    """

    def __init__(self, app: App, snapshot: Snapshot, crew: Crew, plan: Plan, clock: Clock) -> None:
        self._app, self._plan, self._clock = app, plan, clock
        self._limits = app.broker.limits
        self._settler = Settler(app.broker, app.results, app.forget_queues)
        self._ledger = Ledger(
            lease=plan.lease,
            must_keep=self._settler.must_keep,
            paid_batch=self._limits.paid_batch,
            answers_acks=self._limits.answers_acks,
        )
        self._loop = Loop(self._act, clock)
        self._children = Children(crew, self._loop, self._heard, self._ended)
        queues = [app.queue(name) for name in plan.queues]
        self._levels = {queue.name: [level.name for level in queue.levels] for queue in queues}
        self._caps = {level.name: level.max_receives for queue in queues for level in queue.levels}
        self._post_mortem = PostMortem(
            snapshot.policies, self._caps, has_count=self._limits.rewrites_on_release
        )
        self._time_limits = TimeLimits(snapshot.limits.values())
        self._overdue: dict[int, dict[int, float]] = {}
        self._dismissed: set[int] = set()
        self._retired: set[int] = set()
        self._early_deaths = 0
        self._began_at = clock.monotonic()
        self._stall_at: float | None = None
        self._stop_at: float | None = None
        self._is_hurried = self._has_ended_some = False
        self._is_abandoned = False
        self._failure: CloudqError | None = None

    @property
    def left_something(self) -> bool:
        """Whether it ended while a task or a request was still under way."""
        return self._is_abandoned or self._is_hurried

    def run(self) -> None:
        """Work until told to stop, or, in a burst, until the queues are empty.

        Raises:
            ConfigurationError: The broker can't be used as it is configured.
            BrokerError: It can't be reached, or has no such queue.
            CloudqError: Children die before they are ready.
        """
        for queue in self._plan.queues:
            self._app.declare(queue)
        self._start_lanes()
        for _ in range(self._plan.children):
            self._children.hire(self._plan.slots)
        try:
            self._loop.run()
        finally:
            self._close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop: start nothing new, let what runs end within the grace time. Again: now. From any thread."""
        self._loop.post(self._stop)

    def stop_at_once(self) -> None:
        """Stop: end what runs now, and give it back. From any thread."""
        self._loop.post(self._hurry)

    def look(self, then: Callable[[Tally], Any]) -> None:
        """Have `then` called, with the supervisor's turn, with what it does. From any thread."""
        self._loop.post(lambda: then(self._tally()))

    def _tally(self) -> Tally:
        ledger, counts = self._ledger, self._ledger.settled_counts
        known = (ledger.get(tag) for tag in self._children.running())
        running = sum(one is not None and one.execution is None for one in known)
        return Tally(
            at=self._clock.monotonic(),
            began_at=self._began_at,
            slots=ledger.slots,
            running=running,
            prefetched=len(ledger) - ledger.finished_count - running,
            unsettled=ledger.finished_count,
            done=counts[Done],
            retried=counts[RetryLater],
            dead=counts[Dead],
            paused=self._pauses.paused,
            stop_at=self._stop_at,
        )

    # Once a turn

    def _act(self) -> float | None:
        """Do what is due; when more will be, None at the end."""
        if self._is_over():
            return None
        now = self._clock.monotonic()
        if self._stop_at is None:
            self._assign(now)
            self._children.flush()  # before all else: they wait for it
            self._relieve(now)
            self._replace_spent()
        else:
            self._ledger.give_back_ready("the worker stops")
            if now >= self._stop_at and not self._is_abandoned:
                self._abandon()
        if now >= self._time_limits.next_at:
            self._end_overdue(now)
        # Before the keeper, so that it extends only what can't be settled yet.
        self._settling.act(now)
        for holding in self._keeper.look(now):
            if holding.child is not None:
                self._children.send_urgent(holding.child, "lost", [holding.tag])
        if self._stop_at is None:
            self._pauses.look(now)
            if self._pauses.is_known:
                self._fetcher.fetch(now, self._ledger.room(), self._pauses.paused)
        self._children.flush()
        return self._next_at(now)

    def _replace_spent(self) -> None:
        for child in self._ledger.spent():
            logger.info("child %d has served its time", child, extra={"action": "child_replaced"})
            self._ledger.leave(child)
            self._retired.add(child)
            self._children.send(child, "stop")
            self._children.hire(self._plan.slots)

    def _relieve(self, now: float) -> None:
        """Let what waits behind slow runs be run elsewhere."""
        if self._stall_at is not None and now >= self._stall_at:
            self._children.call_back_once(self._ledger.stalled(now))
            self._stall_at = None
        if self._stall_at is None and self._ledger.has_waiting:
            self._stall_at = now + CHILD_PATIENCE

    def _assign(self, now: float) -> None:
        caps = self._caps
        for child, holdings in self._ledger.assign(now).items():
            jobs = [
                (holding.tag, (one := holding.delivery).queue, one.body, one.receive_count, caps[one.queue])
                for holding in holdings
            ]
            self._children.send(child, "run", self._limits.rewrites_on_release, jobs)

    def _next_at(self, now: float) -> float:
        moments = [self._keeper.next_at, self._settling.next_at()]
        if len(self._ledger):
            moments.append(self._time_limits.next_at)
        if self._stop_at is None:
            moments += (self._pauses.next_at, self._stall_at)
            # Past: it waits for room, or for the end of a pause, which come with an event.
            moments.append(at if (at := self._fetcher.next_at) is not None and at > now else None)
        elif not self._is_abandoned:
            moments.append(self._stop_at)
        else:
            # Past: the answer to a request is awaited, which is an event.
            moments.append(at if (at := self._last_at(self._stop_at)) > now else None)
        return min(one for one in moments if one is not None)

    def _is_over(self) -> bool:
        if self._stop_at is None or self._loop.has_posted:
            return False
        if not len(self._ledger) and (self._is_hurried or not self._fetcher.is_busy):
            return True
        return self._clock.monotonic() > self._last_at(self._stop_at) and not self._settling.is_busy

    def _last_at(self, stop_at: float) -> float:
        """Until when what has ended is settled."""
        if self._settling.is_failing and (self._is_hurried or not self._has_ended_some):
            return stop_at
        return stop_at + (_HURRIED_SETTLING if self._is_hurried else _LAST_SETTLING)

    # What the lanes do and bring back

    def _start_lanes(self) -> None:
        self._fetcher = Fetcher(
            app=self._app,
            preference=Preference(self._levels, is_strict=self._plan.is_strict),
            lease=self._plan.lease,
            is_burst=self._plan.is_burst,
            clock=self._clock,
            interject=self._loop.interject,
            then=self._fetched,
            give_up=self._fail,
        )
        self._pauses = PauseWatch(
            self._app.pauses,
            self._plan.queues,
            self._clock,
            interject=self._loop.interject,
            changed=self._heed_pauses,
        )
        self._keeper = Keeper(self._app.broker, self._ledger, self._plan.lease, self._loop.interject)
        self._settling = Settling(self._settler, self._ledger, self._clock, self._loop.interject)

    def _fetched(self, deliveries: list[Delivery], asked_at: float) -> None:
        extra = {"action": "messages_received", "count": len(deliveries)}
        logger.debug("received %d", len(deliveries), extra=extra)
        self._ledger.admit(deliveries, asked_at)
        self._give_back_paused()
        if self._plan.is_burst and self._stop_at is None and not len(self._ledger):
            self._stop()

    def _heed_pauses(self) -> None:
        self._give_back_paused()
        if self._pauses.paused and self._stop_at is None:
            self._children.call_back_once()  # what isn't paused is handed out anew

    def _give_back_paused(self) -> None:
        """What was prefetched, or comes of a receive that began before the pause."""
        if self._pauses.paused and self._stop_at is None:
            levels = [level for name in self._pauses.paused for level in self._levels[name]]
            self._ledger.give_back_ready("its queue is paused", levels)

    # What children say, and what they die of

    def _heard(self, child: int, frame: tuple[Any, ...]) -> None:
        match frame:
            case ("finished", ended):
                for tag, words in ended:
                    self._ledger.finish(tag, unpack_execution(words))
            case ("returned", tags):
                self._ledger.hand_back(child, tags)
                self._give_back_paused()
            case ("full", size_kib):
                logger.info("child %d has %d KiB", child, size_kib, extra={"action": "child_full"})
                self._ledger.retire(child)
                self._children.send_urgent(child, "return")
            case ("ready",):
                self._early_deaths = 0
                self._ledger.join(child, self._plan.slots, self._plan.max_tasks)
                logger.info("child %d is ready", child, extra={"action": "child_ready"})
            case _:
                raise FrameError(f"{frame[:1]!r} means nothing")

    def _ended(self, news: Exited, was_heard: bool) -> None:  # noqa: FBT001 - a callback
        self._see_running()
        begun = self._ledger.leave(news.number)
        overdue = self._overdue.pop(news.number, {})
        is_dismissed = news.number in self._dismissed
        self._dismissed.discard(news.number)
        for holding in begun:
            delivery = holding.delivery
            if (limit := overdue.get(holding.tag)) is not None:
                execution = self._post_mortem.timed_out(delivery, limit)
            elif is_dismissed:
                execution = self._post_mortem.killed_with_another(delivery)
            else:
                execution = self._post_mortem.crashed(delivery, news.cause, is_alone=len(begun) == 1)
            self._ledger.finish(holding.tag, execution)
        if self._stop_at is not None:
            return
        if news.number in self._retired:
            self._retired.discard(news.number)
            return
        self._early_deaths = 0 if was_heard else self._early_deaths + news.is_counted
        if self._early_deaths < _EARLY_DEATHS:
            if not is_dismissed:
                hint = " (out of memory?)" if "SIGKILL" in news.cause else ""
                logger.warning("a child is gone: %s%s", news.cause, hint, extra={"action": "child_ended"})
            self._children.hire(self._plan.slots)
            return
        self._fail(
            CloudqError(f"{self._early_deaths} children in a row died before they were ready: {news.cause}.")
        )

    def _end_overdue(self, now: float) -> None:
        """Kill the children of runs whose time is over, once: it takes a moment until they have ended."""
        for run in self._time_limits.over(self._children.limited(), now):
            holding = self._ledger.get(run.tag)
            child = holding.child if holding else None
            if child is None or run.tag in self._overdue.setdefault(child, {}):
                continue
            self._overdue[child][run.tag] = run.seconds
            self._dismissed.add(child)
            if not self._children.kill(child):
                logger.error(
                    "past its time limit, and can't be killed in this pool", extra={"action": "overdue"}
                )

    def _see_running(self) -> None:
        """Learn which messages run: children tell only of their ends."""
        for tag in self._children.running():
            self._ledger.start(tag)

    # The end

    def _fail(self, error: CloudqError) -> None:
        self._failure = self._failure or error
        if self._stop_at is None:
            self._stop()

    def _stop(self) -> None:
        now = self._clock.monotonic()
        if self._stop_at is None:
            self._begin_stop(now)
        else:
            self._hurry()

    def _begin_stop(self, now: float) -> None:
        self._stop_at = now + self._plan.grace
        self._see_running()
        count = len(self._ledger.running)
        extra = {"action": "worker_stopping", "count": count}
        if count:
            told = "stopping: %d run, and have %g s; a second signal ends them at once"
            logger.info(told, count, self._plan.grace, extra=extra)
        else:
            awaited = "; a receive under way is awaited, so that it strands nothing"
            logger.info("stopping: nothing runs%s", awaited if self._fetcher.is_busy else "", extra=extra)
        self._children.call_back()

    def _hurry(self) -> None:
        now = self._clock.monotonic()
        if self._stop_at is None:
            self._begin_stop(now)
        self._stop_at, self._is_hurried = now, True
        self._abandon()
        stranded = f": a receive under way may strand what it brings for {self._plan.lease:g} s"
        logger.warning(
            "stopping at once%s",
            stranded if self._fetcher.is_busy else "",
            extra={"action": "worker_hurried"},
        )

    def _abandon(self) -> None:
        """The grace time is over: end what runs, and give it back as though it had not been received."""
        self._is_abandoned = True
        self._see_running()
        self._has_ended_some = bool(self._ledger.running)
        for holding in self._ledger.running:
            if holding.child is not None:
                self._dismissed.add(holding.child)
                self._children.kill(holding.child)
            why = "the worker stopped while it ran"
            self._ledger.finish(holding.tag, given_back(holding.delivery.body, why))
        is_in_vain = self._settling.is_failing and not self._has_ended_some
        if (count := self._ledger.finished_count) and not is_in_vain and not self._is_hurried:
            logger.warning(
                "the grace time is over: %d messages wait to be settled, for %g s more at most",
                count,
                _LAST_SETTLING,
                extra={"action": "settling_last", "count": count},
            )

    def _close(self) -> None:
        if left := len(self._ledger):
            logger.error(
                "%d messages return when their leases end", left, extra={"action": "messages_stranded"}
            )
        logger.info("stopped", extra={"action": "worker_stopped"})
        self._children.close()
        patience = 0.0 if self._is_hurried else 1.0
        for lane in (self._keeper, self._settling, self._fetcher, self._pauses):
            lane.close(patience)
        self._loop.close()
