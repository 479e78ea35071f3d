"""The supervisor: the loop around the ledger. It holds the broker and runs no user code.

One thread owns the ledger. Receiving, settling and extending block, so each has a lane; what they bring back
is handled in the loop, as is what children say. Nothing here decides: the ledger says what is due.
"""

from __future__ import annotations

import contextlib
import json
import logging
import selectors
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cloudq.app import App
from cloudq.clock import Clock
from cloudq.delivery import Answer, Delivery, Execution, Outcome, Requeue, Settled, Unknown
from cloudq.errors import CloudqError
from cloudq.execution import Context, crashed, timed_out
from cloudq.settling import Settler
from cloudq.worker.connection import Connection
from cloudq.worker.crew import Crew, Exited
from cloudq.worker.frames import FrameError, unpack_execution
from cloudq.worker.lane import Lane
from cloudq.worker.ledger import Holding, Ledger
from cloudq.worker.snapshot import Snapshot

__all__ = ["Plan", "Supervisor"]

J = TypeVar("J")
A = TypeVar("A")

logger = logging.getLogger(__name__)

WAIT = 1.0
"""Seconds that a receive waits where the broker sets no limit: how long a stop waits for it at most."""
_LONGEST_BACKOFF = 30.0
_BURST_PAUSE = 0.05
_LAST_SETTLING = 10.0
"""Seconds past the grace time for which a broker that doesn't answer is asked again to settle."""
_EARLY_DEATHS = 3
"""Children in a row that may die before they are ready, before the worker gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a worker is to do.

    Args:
        queues: Where it receives, in order of preference.
        children: How many it has.
        slots: How many messages each runs at once.
        lease: Seconds of a lease.
        grace: Seconds that what runs is given when the worker stops.
        is_burst: Whether it ends when the queues are empty.
    """

    queues: Sequence[str]
    children: int = 1
    slots: int = 1
    lease: float = 60.0
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
        self._app, self._snapshot, self._crew, self._plan, self._clock = app, snapshot, crew, plan, clock
        self._limits = app.broker.limits
        self._wait = 0.0 if plan.is_burst else min(self._limits.max_wait or WAIT, plan.lease / 3)
        self._ledger = Ledger(lease=plan.lease, detects_lost=self._limits.detects_lost_ack)
        self._settler = Settler(app.broker, app.results)
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._posted: deque[Callable[[], None]] = deque()
        self._connections: dict[int, Connection] = {}
        self._caps = {name: app.queue(name).max_receives for name in plan.queues}
        self._overdue: dict[int, float] = {}
        self._dismissed: set[int] = set()
        self._early_deaths = 0
        self._fetch_failures, self._fetch_at, self._look_at = 0, 0.0, 0.0
        self._stop_at: float | None = None
        self._is_hurried = self._is_abandoned = False
        self.problem: str | None = None
        """Why it couldn't go on; None where it ended as it should."""

    @property
    def left_something(self) -> bool:
        """Whether it ended while a task or a request was still under way."""
        return self._is_abandoned or self._is_hurried

    def run(self) -> None:
        """Work until told to stop, or, in a burst, until the queues are empty.

        Raises:
            BrokerError: The queues can't be declared.
        """
        for queue in self._plan.queues:
            self._app.declare(queue)
        self._fetcher: Lane[tuple[float, int], list[Delivery]] = self._lane(
            "fetch", self._receive, self._fetched
        )
        self._settling: Lane[list[Holding], list[Answer]] = self._lane("settle", self._settle, self._settled)
        self._keeper: Lane[tuple[float, list[Holding]], list[Answer]] = self._lane(
            "keep", self._extend, self._extended
        )
        self._open()
        try:
            while not self._is_over():
                self._act(self._clock.monotonic())
                self._listen(self._timeout(self._clock.monotonic()))
        finally:
            self._close()

    def stop(self) -> None:
        """Stop: start nothing new, let what runs end within the grace time. Again: now. From any thread."""
        self._post(self._stop)

    # Once a turn

    def _act(self, now: float) -> None:
        if self._stop_at is not None:
            self._ledger.give_back_ready("the worker stops")
            if now >= self._stop_at and not self._is_abandoned:
                self._abandon()
        else:
            self._assign(now)
        if self._snapshot.limits:
            for holding in self._ledger.overdue(now):
                self._kill_overdue(holding)
        if now >= self._look_at:
            self._look_at = now + min(1.0, self._plan.lease / 20)
            self._look_after_leases(now)
        if not self._settling.is_busy and (due := self._ledger.due_settlements(now)):
            self._settling.submit(due)
        if self._may_fetch(now) and (room := self._ledger.room()):
            self._fetcher.submit((now, min(room, self._limits.max_receive)))

    def _assign(self, now: float) -> None:
        for child, holdings in self._ledger.assign(now).items():
            jobs = [
                (
                    one.tag,
                    one.delivery.queue,
                    one.delivery.body,
                    one.delivery.receive_count,
                    self._cap(one.delivery),
                )
                for one in holdings
            ]
            self._connections[child].send("run", self._limits.rewrites_on_release, jobs)

    def _look_after_leases(self, now: float) -> None:
        for holding in self._ledger.lapse(now):
            logger.error("lease lost", extra={"action": "lease_lost", "message_id": holding.delivery.id})
            if holding.child is not None:
                self._connections[holding.child].send("lost", [holding.tag])
        if not self._keeper.is_busy and (due := self._ledger.due_extensions(now)):
            self._keeper.submit((now, due))

    def _may_fetch(self, now: float) -> bool:
        return self._stop_at is None and not self._fetcher.is_busy and now >= self._fetch_at

    def _timeout(self, now: float) -> float:
        moments = [self._look_at]
        if self._stop_at is not None and not self._is_abandoned:
            moments.append(self._stop_at)
        if (settle_at := self._ledger.settle_at()) is not None and not self._settling.is_busy:
            moments.append(settle_at)
        if self._stop_at is None and not self._fetcher.is_busy and self._fetch_at > now:
            moments.append(self._fetch_at)
        if self._snapshot.limits:
            moments += [one.kill_at for one in self._ledger.running if one.kill_at is not None]
        return max(0.0, min(moments) - now)

    def _is_over(self) -> bool:
        if self._stop_at is None or self._posted:
            return False
        if self._is_hurried or self._clock.monotonic() > self._stop_at + _LAST_SETTLING:
            return not self._settling.is_busy
        return not len(self._ledger) and not self._fetcher.is_busy

    # In the lanes' threads

    def _receive(self, job: tuple[float, int]) -> list[Delivery]:
        return self._app.broker.receive(
            self._plan.queues, limit=job[1], lease=self._plan.lease, wait=self._wait
        )

    def _settle(self, due: list[Holding]) -> list[Answer]:
        return self._settler.settle(
            [(one.delivery, one.execution) for one in due if one.execution is not None]
        )

    def _extend(self, job: tuple[float, list[Holding]]) -> list[Answer]:
        return self._app.broker.extend([(holding.delivery, self._plan.lease) for holding in job[1]])

    # What the lanes bring back

    def _fetched(self, job: tuple[float, int], answer: list[Delivery] | CloudqError) -> None:
        if isinstance(answer, CloudqError):
            self._fetch_failures += 1
            pause = min(_LONGEST_BACKOFF, 0.5 * 2.0 ** min(self._fetch_failures, 10))
            self._fetch_at = self._clock.monotonic() + pause
            logger.error(
                "can't receive, next try in %.1f s: %s", pause, answer, extra={"action": "receive_failed"}
            )
            return
        self._fetch_failures = 0
        self._ledger.admit(answer, asked_at=job[0])
        if self._plan.is_burst and not answer and not len(self._ledger):
            self._stop()
        elif self._plan.is_burst and not answer:
            self._fetch_at = self._clock.monotonic() + _BURST_PAUSE

    def _settled(self, job: list[Holding], answer: list[Answer] | CloudqError) -> None:
        now = self._clock.monotonic()
        for holding, one in zip(job, _each(answer, len(job)), strict=True):
            self._ledger.settled(holding.tag, one, now)

    def _extended(self, job: tuple[float, list[Holding]], answer: list[Answer] | CloudqError) -> None:
        for holding, one in zip(job[1], _each(answer, len(job[1])), strict=True):
            self._ledger.extended(holding.tag, one, job[0])
            if not isinstance(one, Settled):
                logger.warning(
                    "lease not extended: %s",
                    one,
                    extra={"action": "extend_failed", "message_id": holding.delivery.id},
                )

    # What children say

    def _hear(self, child: int, frames: Iterator[tuple[Any, ...]]) -> None:
        try:
            for frame in frames:
                self._heard(child, frame)
        except (TypeError, ValueError) as error:
            # What it says can't be relied on any more; what it held is run again.
            logger.error("child %d spoke nonsense: %s", child, error, extra={"action": "child_garbled"})  # noqa: TRY400 - its traceback says nothing
            self._crew.kill(child)

    def _heard(self, child: int, frame: tuple[Any, ...]) -> None:
        match frame:
            case ("finished", tag, words):
                self._ledger.finish(tag, unpack_execution(words))
            case ("started", tag):
                self._ledger.start(tag, self._clock.monotonic(), self._limit(tag))
            case ("returned", tags):
                self._ledger.hand_back(tags)
            case ("ready",):
                self._early_deaths = 0
                self._ledger.join(child, self._plan.slots)
                logger.info("child %d is ready", child, extra={"action": "child_ready"})
            case _:
                raise FrameError(f"{frame[:1]!r} means nothing")

    def _ended(self, news: Exited) -> None:
        connection = self._connections.pop(news.number)
        self._hear(news.number, connection.drain())
        is_early = not connection.was_heard
        self._unwatch(connection)
        connection.close()
        for holding in self._ledger.leave(news.number):
            self._ledger.finish(holding.tag, self._post_mortem(holding, news))
        self._dismissed.discard(news.number)
        if self._stop_at is None:
            self._replace(news, is_early=is_early)

    def _post_mortem(self, holding: Holding, news: Exited) -> Execution:
        delivery = holding.delivery
        context = Context(
            queue=delivery.queue,
            receive_count=delivery.receive_count,
            max_receives=self._cap(delivery),
            has_count=self._limits.rewrites_on_release,
        )
        if (limit := self._overdue.pop(holding.tag, None)) is not None:
            policy = self._snapshot.policies[json.loads(delivery.body)["task"]]
            return timed_out(delivery.body, context, policy, limit)
        if news.number in self._dismissed:
            outcome: Outcome = Requeue(why="its process was ended with another task's")
            return Execution(outcome=outcome)
        return crashed(delivery.body, context, news.cause)

    def _replace(self, news: Exited, *, is_early: bool) -> None:
        self._early_deaths = self._early_deaths + 1 if is_early else 0
        if self._early_deaths >= _EARLY_DEATHS:
            self.problem = f"{self._early_deaths} children in a row died before they were ready; {news.cause}"
            logger.error("%s", self.problem, extra={"action": "worker_failed"})
            self._stop()
            return
        logger.warning("a child is gone: %s", news.cause, extra={"action": "child_ended"})
        self._hire()

    # Deeds

    def _hire(self) -> None:
        number, ours = self._crew.hire()
        self._connections[number] = Connection(ours)
        self._selector.register(ours, selectors.EVENT_READ, number)

    def _kill_overdue(self, holding: Holding) -> None:
        child, limit = holding.child, self._limit(holding.tag)
        holding.kill_at = None
        if child is None or limit is None:
            return
        self._overdue[holding.tag] = limit
        self._dismissed.add(child)
        if not self._crew.kill(child):
            logger.error("past its time limit, and can't be killed in this pool", extra={"action": "overdue"})

    def _stop(self) -> None:
        now = self._clock.monotonic()
        if self._stop_at is None:
            self._stop_at = now + self._plan.grace
            logger.info("stopping", extra={"action": "worker_stopping"})
            for connection in self._connections.values():
                connection.send("return")
        else:
            self._stop_at, self._is_hurried = now, True
            self._abandon()
            logger.warning(
                "stopping at once: a receive under way may strand what it brings for a lease (%g s)",
                self._plan.lease,
                extra={"action": "worker_hurried"},
            )

    def _abandon(self) -> None:
        """The grace time is over: end what runs, and give it back as though it had not been received."""
        self._is_abandoned = True
        for holding in self._ledger.running:
            if holding.child is not None:
                self._dismissed.add(holding.child)
                self._crew.kill(holding.child)
            self._ledger.finish(
                holding.tag, Execution(outcome=Requeue(why="the worker stopped while it ran"))
            )

    def _limit(self, tag: int) -> float | None:
        """A message's time limit; its body is read only where some task has one."""
        holding = self._ledger.get(tag)
        if not self._snapshot.limits or holding is None:
            return None
        try:
            return self._snapshot.limits.get(json.loads(holding.delivery.body)["task"])
        except (ValueError, KeyError, TypeError):
            return None  # no message of ours: execute() says so

    def _cap(self, delivery: Delivery) -> int:
        return self._caps[delivery.queue]

    # The loop's own

    def _open(self) -> None:
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._selector.register(self._wake_in, selectors.EVENT_READ)
        self._watch_crew(is_watched=True)
        for _ in range(self._plan.children):
            self._hire()

    def _listen(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._wake_in:
                self._wake_in.recv(4096)
            elif key.data == "news":
                self._hear_news()
            elif (connection := self._connections.get(key.data)) is not None:
                self._hear(key.data, connection.read())
                if connection.is_broken:
                    self._unwatch(connection)  # its end is news that comes from the crew
        while self._posted:
            self._posted.popleft()()
        for number, connection in self._connections.items():
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.flush() else 0)
            key = self._selector.get_map().get(connection.socket)
            if key is not None and key.events != wanted:
                self._selector.modify(connection.socket, wanted, number)

    def _unwatch(self, connection: Connection) -> None:
        if connection.socket in self._selector.get_map():
            self._selector.unregister(connection.socket)

    def _hear_news(self) -> None:
        # A crew that has to start over comes back with another channel, which may have the old one's number.
        self._watch_crew(is_watched=False)
        for news in self._crew.news():
            self._ended(news)
        self._watch_crew(is_watched=True)

    def _watch_crew(self, *, is_watched: bool) -> None:
        if (channel := self._crew.channel) is None:
            return
        if is_watched:
            self._selector.register(channel, selectors.EVENT_READ, "news")
        else:
            self._selector.unregister(channel)

    def _lane(
        self, name: str, call: Callable[[J], A], then: Callable[[J, A | CloudqError], None]
    ) -> Lane[J, A]:
        lane: Lane[J, A]

        def report(job: J, answer: A | CloudqError) -> None:
            def seen() -> None:
                lane.is_busy = False
                then(job, answer)

            self._post(seen)

        lane = Lane(name, call, report)
        return lane

    def _post(self, call: Callable[[], None]) -> None:
        self._posted.append(call)
        # Full: the loop is about to wake. Closed: it has ended, and a signal or a lane comes too late.
        with contextlib.suppress(OSError):
            self._wake_out.send(b".")

    def _close(self) -> None:
        if left := len(self._ledger):
            logger.error(
                "%d messages return when their leases end", left, extra={"action": "messages_stranded"}
            )
        for connection in self._connections.values():
            connection.send("stop")
            connection.flush()
            connection.close()
        self._crew.close()
        for lane in (self._keeper, self._settling, self._fetcher):
            lane.close(0.0 if self._is_hurried else 1.0)
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()


def _each(answer: list[Answer] | CloudqError, count: int) -> list[Answer]:
    return [Unknown(str(answer))] * count if isinstance(answer, CloudqError) else answer
