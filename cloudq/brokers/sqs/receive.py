"""Receiving: short looks into several queues in order, then long polls of all of them at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cloudq.brokers.sqs.delays import MAX_WAIT
from cloudq.brokers.sqs.polls import Brought, Polls
from cloudq.brokers.sqs.requests import MAX_MESSAGES, ReceiveRequests
from cloudq.brokers.sqs.settle import Settler
from cloudq.brokers.sqs.transport import BusyError, RefusedError
from cloudq.brokers.sqs.troubles import Troubles
from cloudq.clock import Clock
from cloudq.delivery import Delivery, Settled
from cloudq.errors import BrokerError, CloudqError, QueueNotFoundError
from cloudq.processes import PerProcess

__all__ = ["Receiver"]

QUIET = 1.0
"""Seconds after an empty answer during which a queue isn't looked into again, but polled at once."""

SHORTEST_WAIT = 0.5
"""Seconds for which another poll is still begun: SQS waits whole seconds."""

_OF_ONE_QUEUE = (QueueNotFoundError, RefusedError, BusyError)
"""SQS answered: it can be reached, and other queues may be well."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Visit:
    """One call of `receive`."""

    named: list[str]
    queues: list[str]
    """Those of the named that are asked: they don't rest and haven't failed."""
    limit: int
    lease: float
    began_at: float
    until: float
    found: list[Delivery] = field(default_factory=list[Delivery])
    failed: dict[str, BrokerError] = field(default_factory=dict[str, BrokerError])

    @property
    def room(self) -> int:
        return self.limit - len(self.found)


class Receiver:
    """Takes messages out of queues.

    Args:
        requests: What makes single requests.
        settler: What extends leases and gives back.
        clock: What measures.
        declare_again: Makes a queue that has gone, where queues are made.
    """

    def __init__(
        self,
        requests: ReceiveRequests,
        settler: Settler,
        clock: Clock,
        *,
        declare_again: Callable[[str], object],
    ) -> None:
        self._requests = requests
        self._settler = settler
        self._clock = clock
        self._declare_again = declare_again
        self._troubles = Troubles(clock)
        self._polls = PerProcess(lambda: Polls(self._ask, self._give_back, clock))
        self._quiet_until: dict[str, float] = {}

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        """As `Broker.receive`."""
        polls = self._polls.get()
        if polls.is_closed or not queues or limit < 1:
            return []
        now = self._clock.monotonic()
        named = list(dict.fromkeys(queues))
        visit = _Visit(named, self._troubles.worth_asking(named), limit, lease, now, now + wait)
        polls.errors(named)  # of polls that nobody waited for; what still is wrong will be said again
        self._collect(polls, visit)
        self._look_round(polls, visit)
        self._collect(polls, visit)
        self._judge(visit)
        while not visit.found and self._wait(polls, visit):
            self._collect(polls, visit)
            self._judge(visit)
        if polls.is_closed and visit.found:
            self._give_back(visit.found)
            return []
        return visit.found

    def close(self, when_idle: Callable[[], None]) -> None:
        """Bring nothing more; call `when_idle` once no poll is on its way."""
        self._polls.get().close(when_idle)

    def _look_round(self, polls: Polls, visit: _Visit) -> None:
        """Look into each queue that no poll watches, and leave a poll with those that are empty."""
        unwatched = [queue for queue in visit.queues if not polls.is_polled(queue)]
        for queue in unwatched:
            if visit.room <= 0:
                return
            # Beside a failure, looks only: raised, it would leave polls that nobody waits for.
            may_wait = visit.until > visit.began_at and not visit.failed
            # A poll answers as fast as a look where there is something: what is left to be asked alone, or
            # has just been found empty, needs no look before it.
            is_last = queue == unwatched[-1] and not visit.found
            if may_wait and (is_last or self._is_quiet(queue)):
                self._start(polls, visit, queue)
                continue
            self._look(visit, queue)
            if may_wait and not visit.failed and self._is_quiet(queue):
                self._start(polls, visit, queue)

    def _look(self, visit: _Visit, queue: str) -> None:
        """Take what is there now, for as long as answers come back full."""
        is_full = True
        while is_full and visit.room > 0:
            asked = min(MAX_MESSAGES, visit.room)
            try:
                brought = self._ask(queue, asked, visit.lease, 0)
            except CloudqError as error:
                self._fail(visit, queue, error)
                return
            visit.found += brought
            is_full = len(brought) == asked

    def _fail(self, visit: _Visit, queue: str, error: Exception) -> None:
        """Go on without a queue where that makes sense, and raise otherwise."""
        if isinstance(error, _OF_ONE_QUEUE):
            visit.queues.remove(queue)
            visit.failed[queue] = error
            self._troubles.failed(queue, error)
        elif visit.found:
            # What is in hand must not be lost for it; the next receive meets the error again.
            logger.warning(
                "a queue couldn't be looked into: %s", error, extra={"action": "look_failed", "queue": queue}
            )
        else:
            raise error

    def _judge(self, visit: _Visit) -> None:
        """Raise a failure that leaves nothing to wait for, or that whoever starts must hear of."""
        failed, visit.failed = visit.failed, {}
        for queue, error in failed.items():
            # A queue that was never there is misspelt or not deployed yet: not to be passed over in a log.
            is_new = isinstance(error, QueueNotFoundError) and not self._troubles.has_answered(queue)
            if not visit.found and (is_new or not visit.queues):
                raise error
        for queue, error in failed.items():
            self._troubles.report(queue, error)

    def _wait(self, polls: Polls, visit: _Visit) -> bool:
        """Wait for a poll's answer. False when there is nothing more to wait for."""
        rest = visit.until - self._clock.monotonic()
        if polls.is_closed or rest <= 0:
            return False
        for queue in visit.queues:
            if not polls.is_polled(queue):
                if rest < SHORTEST_WAIT:
                    return False
                self._start(polls, visit, queue)
        polls.wait(visit.queues, visit.until)
        return True

    def _start(self, polls: Polls, visit: _Visit, queue: str) -> None:
        rest = visit.until - self._clock.monotonic()
        # Rounded, so that a wait of 20 seconds is one of 20 for SQS, too, although some of it has passed.
        wait = min(MAX_WAIT, max(1, round(rest)))
        polls.start(queue, limit=min(MAX_MESSAGES, visit.room), lease=visit.lease, wait=wait)

    def _collect(self, polls: Polls, visit: _Visit) -> None:
        """Take what polls have brought, each lease as long as was asked for."""
        brought = polls.take(visit.named, visit.room)
        aged = [one for one in brought if one.arrived_at < visit.began_at or one.lease != visit.lease]
        kept = self._renewed(aged, visit.lease)
        visit.found += [one.delivery for one in brought if one not in aged or one in kept]
        if not visit.found:
            for queue, error in polls.errors(visit.queues).items():
                self._fail(visit, queue, error)
        if len(brought) == MAX_MESSAGES and visit.room > 0 and brought[-1].delivery.queue in visit.queues:
            self._look(visit, brought[-1].delivery.queue)

    def _renewed(self, aged: Sequence[Brought], lease: float) -> list[Brought]:
        # Whoever receives counts the lease from the call's beginning, and theirs began before that.
        try:
            answers = self._settler.hide([(one.delivery, lease) for one in aged])
        except BrokerError as error:
            logger.warning(
                "messages that came while nobody asked return when their leases end: %s",
                error,
                extra={"action": "renewal_failed"},
            )
            return []
        return [one for one, answer in zip(aged, answers, strict=True) if isinstance(answer, Settled)]

    def _ask(self, queue: str, limit: int, lease: float, wait: int) -> list[Delivery]:
        if self._troubles.is_missing(queue):
            self._declare_again(queue)
        brought = self._requests.receive(queue, limit=limit, lease=lease, wait=wait)
        self._troubles.answered(queue)
        if brought:
            self._quiet_until.pop(queue, None)
        else:
            self._quiet_until[queue] = self._clock.monotonic() + QUIET
        return brought

    def _is_quiet(self, queue: str) -> bool:
        return self._clock.monotonic() < self._quiet_until.get(queue, 0.0)

    def _give_back(self, deliveries: Sequence[Delivery]) -> None:
        try:
            self._settler.hide([(delivery, 0.0) for delivery in deliveries])
        except CloudqError as error:
            logger.warning(
                "messages that nobody takes stay hidden until their leases end: %s",
                error,
                extra={"action": "give_back_failed", "queue": deliveries[0].queue},
            )
