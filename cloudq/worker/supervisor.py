"""The supervisor: the loop around the ledger. It holds the broker and runs no user code.

One thread owns the ledger. Receiving, settling and extending block, so each has a lane; what they bring back
is handled in the loop, as is what children say. Nothing here decides: the ledger says what is due.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cloudq.app import App
from cloudq.clock import Clock
from cloudq.delivery import Delivery, Execution
from cloudq.errors import CloudqError
from cloudq.execution import Context, crashed, given_back, timed_out
from cloudq.retry import RetryPolicy
from cloudq.settling import Settler
from cloudq.worker.children import Children
from cloudq.worker.crew import Crew, Exited
from cloudq.worker.fetch import Fetcher
from cloudq.worker.frames import FrameError, unpack_execution
from cloudq.worker.keeper import Keeper
from cloudq.worker.ledger import Holding, Ledger
from cloudq.worker.loop import Loop
from cloudq.worker.preference import Preference
from cloudq.worker.settle import Settling
from cloudq.worker.snapshot import Snapshot

__all__ = ["Plan", "Supervisor"]

logger = logging.getLogger(__name__)

_LAST_SETTLING = 10.0
"""Seconds past the grace time for which a broker that doesn't answer is asked again to settle what ended with
it. What ended before has been tried in the grace time."""
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
        self._app, self._snapshot, self._plan, self._clock = app, snapshot, plan, clock
        self._limits = app.broker.limits
        self._settler = Settler(app.broker, app.results, app.forget_queues)
        self._ledger = Ledger(
            lease=plan.lease, must_keep=self._settler.must_keep, paid_batch=self._limits.paid_batch
        )
        self._loop = Loop()
        self._children = Children(crew, self._loop, self._heard, self._ended)
        queues = [app.queue(name) for name in plan.queues]
        self._levels = {queue.name: [level.name for level in queue.levels] for queue in queues}
        self._caps = {level.name: level.max_receives for queue in queues for level in queue.levels}
        self._overdue: dict[int, float] = {}
        self._dismissed: set[int] = set()
        self._retired: set[int] = set()
        self._early_deaths = 0
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
            while not self._is_over():
                self._act(self._clock.monotonic())
                self._children.flush()
                self._loop.turn(self._clock.real(self._timeout(self._clock.monotonic())))
        finally:
            self._close()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop: start nothing new, let what runs end within the grace time. Again: now. From any thread."""
        self._loop.post(self._stop)

    # Once a turn

    def _act(self, now: float) -> None:
        if self._stop_at is None:
            self._replace_spent()
            self._assign(now)
        else:
            self._ledger.give_back_ready("the worker stops")
            if now >= self._stop_at and not self._is_abandoned:
                self._abandon()
        for holding in self._ledger.overdue(now):
            self._kill_overdue(holding)
        # Before the keeper, so that it extends only what can't be settled yet.
        self._settling.act(now)
        for holding in self._keeper.look(now):
            if holding.child is not None:
                self._children.send(holding.child, "lost", [holding.tag])
        if self._stop_at is None:
            self._fetcher.fetch(now, self._ledger.room())

    def _replace_spent(self) -> None:
        for child in self._ledger.spent():
            logger.info("child %d has served its time", child, extra={"action": "child_replaced"})
            self._ledger.leave(child)
            self._retired.add(child)
            self._children.send(child, "stop")
            self._children.hire(self._plan.slots)

    def _assign(self, now: float) -> None:
        for child, holdings in self._ledger.assign(now).items():
            given = [(holding.tag, holding.delivery) for holding in holdings]
            jobs = [
                (tag, one.queue, one.body, one.receive_count, self._caps[one.queue]) for tag, one in given
            ]
            self._children.send(child, "run", self._limits.rewrites_on_release, jobs)

    def _timeout(self, now: float) -> float:
        moments = [self._keeper.next_at, self._ledger.kill_at(), self._settling.next_at()]
        if self._stop_at is None:
            # Past: it waits for room, which comes with an event.
            moments.append(at if (at := self._fetcher.next_at) is not None and at > now else None)
        elif not self._is_abandoned:
            moments.append(self._stop_at)
        return max(0.0, min(one for one in moments if one is not None) - now)

    def _is_over(self) -> bool:
        if self._stop_at is None or self._loop.has_posted:
            return False
        is_in_vain = self._settling.is_failing and not self._has_ended_some
        last = self._stop_at + (0.0 if is_in_vain else _LAST_SETTLING)
        if self._is_hurried or self._clock.monotonic() > last:
            return not self._settling.is_busy
        return not len(self._ledger) and not self._fetcher.is_busy

    # What the lanes do and bring back

    def _start_lanes(self) -> None:
        self._fetcher = Fetcher(
            app=self._app,
            preference=Preference(self._levels, is_strict=self._plan.is_strict),
            lease=self._plan.lease,
            is_burst=self._plan.is_burst,
            clock=self._clock,
            post=self._loop.post,
            then=self._fetched,
            give_up=self._fail,
        )
        self._keeper = Keeper(self._app.broker, self._ledger, self._plan.lease, self._loop.post)
        self._settling = Settling(self._settler, self._ledger, self._clock, self._loop.post)

    def _fetched(self, deliveries: list[Delivery], asked_at: float) -> None:
        extra = {"action": "messages_received", "count": len(deliveries)}
        logger.debug("received %d", len(deliveries), extra=extra)
        self._ledger.admit(deliveries, asked_at)
        if self._plan.is_burst and self._stop_at is None and not len(self._ledger):
            self._stop()

    # What children say, and what they die of

    def _heard(self, child: int, frame: tuple[Any, ...]) -> None:
        match frame:
            case ("finished", ended):
                for tag, words in ended:
                    self._ledger.finish(tag, unpack_execution(words))
            case ("limited", tag, seconds):
                self._ledger.start(tag, self._clock.monotonic(), seconds)
            case ("returned", tags):
                self._ledger.hand_back(tags)
            case ("full", size_kib):
                logger.info("child %d has %d KiB", child, size_kib, extra={"action": "child_full"})
                self._ledger.retire(child)
                self._children.send(child, "return")
            case ("ready",):
                self._early_deaths = 0
                self._ledger.join(child, self._plan.slots, self._plan.max_tasks)
                logger.info("child %d is ready", child, extra={"action": "child_ready"})
            case _:
                raise FrameError(f"{frame[:1]!r} means nothing")

    def _ended(self, news: Exited, was_heard: bool) -> None:  # noqa: FBT001 - a callback
        self._see_running()
        begun = self._ledger.leave(news.number)
        for holding in begun:
            self._ledger.finish(holding.tag, self._post_mortem(holding, news, is_alone=len(begun) == 1))
        is_dismissed = news.number in self._dismissed
        self._dismissed.discard(news.number)
        if self._stop_at is not None:
            return
        if news.number in self._retired:
            self._retired.discard(news.number)
            return
        self._early_deaths = 0 if was_heard else self._early_deaths + 1
        if self._early_deaths < _EARLY_DEATHS:
            if not is_dismissed:
                hint = " (out of memory?)" if "SIGKILL" in news.cause else ""
                logger.warning("a child is gone: %s%s", news.cause, hint, extra={"action": "child_ended"})
            self._children.hire(self._plan.slots)
            return
        self._fail(
            CloudqError(f"{self._early_deaths} children in a row died before they were ready: {news.cause}.")
        )

    def _post_mortem(self, holding: Holding, news: Exited, *, is_alone: bool) -> Execution:
        delivery = holding.delivery
        context = Context(
            queue=delivery.queue,
            receive_count=delivery.receive_count,
            max_receives=self._caps[delivery.queue],
            has_count=self._limits.rewrites_on_release,
        )
        policy = self._snapshot.policies.get(_task_of(delivery), RetryPolicy())
        if (limit := self._overdue.pop(holding.tag, None)) is not None:
            return timed_out(delivery.body, context, policy, limit)
        if news.number in self._dismissed:
            return given_back(delivery.body, "its process was ended with another task's")
        if not is_alone:
            return given_back(delivery.body, f"{news.cause}; it or another did it: it is run again, alone")
        return crashed(delivery.body, context, news.cause, retries=policy.retries)

    def _kill_overdue(self, holding: Holding) -> None:
        child, holding.kill_at = holding.child, None
        if child is None or holding.limit is None:
            return
        self._overdue[holding.tag] = holding.limit
        self._dismissed.add(child)
        if not self._children.kill(child):
            logger.error("past its time limit, and can't be killed in this pool", extra={"action": "overdue"})

    def _see_running(self) -> None:
        """Learn which messages run: before their end children tell only of those with a limit."""
        now = self._clock.monotonic()
        for tag in self._children.running():
            self._ledger.start(tag, now)

    # The end

    def _fail(self, error: CloudqError) -> None:
        self._failure = self._failure or error
        if self._stop_at is None:
            self._stop()

    def _stop(self) -> None:
        now = self._clock.monotonic()
        if self._stop_at is None:
            self._stop_at = now + self._plan.grace
            self._see_running()
            logger.info(
                "stopping: %d run, and have %g s; a second signal ends them at once",
                len(self._ledger.running),
                self._plan.grace,
                extra={"action": "worker_stopping"},
            )
            self._children.send_all("return")
            return
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

    def _close(self) -> None:
        if left := len(self._ledger):
            logger.error(
                "%d messages return when their leases end", left, extra={"action": "messages_stranded"}
            )
        logger.info("stopped", extra={"action": "worker_stopped"})
        self._children.close()
        patience = 0.0 if self._is_hurried else 1.0
        for lane in (self._keeper, self._settling, self._fetcher):
            lane.close(patience)
        self._loop.close()


def _task_of(delivery: Delivery) -> str:
    """The task's name; empty where the body is no message, which `execute` says."""
    try:
        return str(json.loads(delivery.body)["task"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
