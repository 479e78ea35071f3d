"""What is declared on the server, and with which arguments.

Arguments of a queue can't be changed later: they depend on nothing that is tuned. Names and arguments have
this shape since 0.1; a change of it needs names of its own, as both releases meet in a rolling deploy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import RLock
from typing import Any

from cloudq.brokers.rabbitmq import delays
from cloudq.brokers.rabbitmq.frames import spec
from cloudq.brokers.rabbitmq.refusals import NOT_FOUND, RefusedError, meaning
from cloudq.queues import Queue

__all__ = ["TOPICS", "Topology"]

DELIVERY_LIMIT = 1_000
"""Deliveries of one copy before RabbitMQ itself gives it up: a net under `Queue.max_receives`, far away since
all that is given back counts, too. Without it 4.0 would stop at 20."""

DEAD_DELIVERY_LIMIT = 1_000_000_000
"""Dead letters have nowhere else to go; 3.10 knows no word for "none"."""

TOPICS = "cloudq.topics"
"""The exchange to which messages of a topic go, under its name."""

WRITTEN_AFTER = 1.0
"""Seconds after which a server has written down that it has a new quorum queue. Killed before, 3.10 starts
with a queue that has no leader, and what was confirmed into it is lost; seen within half a second."""

NOTICED_AFTER = 0.25
"""Seconds after which a server has told the consumers of a quorum queue that it is gone. Where it is made
again within some 50 ms, 3.10 tells them nothing, and they get nothing either. Seen 2026-11."""

_SURE = {"x-overflow": "reject-publish", "x-dead-letter-strategy": "at-least-once"}
"""Of a quorum queue: what it hands on is its own until the next one has confirmed it. Classic ones can't."""


class Topology:
    """Declares queues and the ways into them.

    Args:
        call: Makes a call; raises `RefusedError`.
        queue_type: `quorum` or `classic`; what is delayed waits in quorum queues.
        wait: Lets so many seconds pass.
    """

    def __init__(self, call: Callable[[Any], Any], queue_type: str, wait: Callable[[float], object]) -> None:
        self._call, self._wait = call, wait
        self._queue_type = queue_type
        self._known: set[str] = set()
        self._has_topics = False
        self._exchanges = 0
        self._levels: set[tuple[str, int]] = set()
        self._gone: set[str] = set()
        self._declaring = RLock()

    @property
    def queues(self) -> list[str]:
        """The queues that were declared here."""
        return sorted(self._known)

    def declare(self, queue: Queue) -> None:
        """Declare a queue with its dead-letter queue."""
        if queue.name in self._gone and self._queue_type == "quorum":
            self._wait(NOTICED_AFTER)
        self._gone.discard(queue.name)
        self._declare(queue.dead_letter, self._limited(DEAD_DELIVERY_LIMIT))
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue.dead_letter}
        sure = _SURE if self._queue_type == "quorum" else {}
        self._declare(queue.name, {**self._limited(DELIVERY_LIMIT), **arguments, **sure})
        self._known |= {queue.name, queue.dead_letter}
        for topic in queue.topics:
            self.declare_topics()
            self._bind(queue.name, TOPICS, topic)

        if queue.exchange:
            declared = spec.Exchange.Declare(exchange=queue.exchange, type=queue.exchange_type, durable=True)
            self._of(queue.name, declared)
            self._bind(queue.name, queue.exchange, queue.routing_key)

    def declare_topics(self) -> None:
        """Declare what topics' messages go to."""
        if not self._has_topics:
            self._of(TOPICS, spec.Exchange.Declare(exchange=TOPICS, type="topic", durable=True))
            self._has_topics = True

    def declare_delay(self, queue: str, delay: float) -> tuple[str, str]:
        """Declare what a delay goes through; the exchange and the routing key for it.

        Raises:
            QueueNotFoundError: There is no such queue.
        """
        if self._new_levels(queue, delay):
            # Race: two threads that count exchanges at once leave one out, and what comes there is stuck.
            with self._declaring:
                self._declare_levels(queue, self._new_levels(queue, delay))
        return delays.route(delay, queue)

    def forget(self, queue: str) -> None:
        """Declare the ways into a queue anew next time: some are gone, or it is."""
        with self._declaring:
            self._gone.add(queue)
            self._exchanges = 0
            self._levels = {one for one in self._levels if one[0] != queue}

    def forget_exchanges(self) -> None:
        """Declare all exchanges, and what is bound to them, anew next time: one is gone."""
        with self._declaring:
            self._exchanges, self._has_topics, self._levels = 0, False, set()

    def count(self, queue: str) -> int:
        """How many messages are ready on the server.

        Raises:
            QueueNotFoundError: There is no such queue.
        """
        return self._of(queue, spec.Queue.Declare(queue=queue, passive=True)).message_count

    def purge(self, queue: str) -> None:
        """Delete what is ready, and what is delayed.

        Raises:
            QueueNotFoundError: There is no such queue.
        """
        for name in (queue, *self._found_levels(queue)):
            self._of(queue, spec.Queue.Purge(queue=name))

    def count_delayed(self, queue: str) -> int:
        """How many messages wait for their delay's end, whoever sent them."""
        return sum(self._found_levels(queue).values())

    def _found_levels(self, queue: str) -> dict[str, int]:
        names = [delays.level_queue(queue, level) for level in range(delays.LEVELS)]
        counts = {name: self._ready(name) for name in names}
        return {name: count for name, count in counts.items() if count is not None}

    def _exists(self, name: str) -> bool:
        return self._ready(name) is not None

    def _ready(self, name: str) -> int | None:
        """How many messages of a queue are ready; None where there is no such queue."""
        try:
            return self._call(spec.Queue.Declare(queue=name, passive=True)).message_count
        except RefusedError as refused:
            if refused.code != NOT_FOUND:
                raise meaning(refused, name) from refused
            return None

    def _new_levels(self, queue: str, delay: float) -> list[int]:
        return [level for level in delays.levels(delay) if (queue, level) not in self._levels]

    def _declare_levels(self, queue: str, new: Sequence[int]) -> None:
        missing = [level for level in new if not self._exists(delays.level_queue(queue, level))]
        for level in new:
            self._declare_level(queue, level)
        if missing:
            # What is confirmed from now on must outlive a kill of the server.
            self._wait(WRITTEN_AFTER)
        self._levels = self._levels | {(queue, level) for level in new}

    def _declare_level(self, queue: str, level: int) -> None:
        while self._exchanges <= level:
            self._declare_exchanges(self._exchanges)
            self._exchanges += 1
        name = delays.level_queue(queue, level)
        self._bind(queue, delays.exchange(-1), f"#.{queue}")
        arguments = {
            "x-message-ttl": delays.UNIT_MS << level,
            "x-dead-letter-exchange": delays.exchange(level - 1),
        }
        # Even before classic queues: those hand on what expires without waiting until it is written down.
        self._declare(name, {"x-queue-type": "quorum", **arguments, **_SURE})
        self._bind(name, delays.exchange(level), delays.bit_pattern(level, queue))

    def _declare_exchanges(self, level: int) -> None:
        upper, lower = delays.exchange(level), delays.exchange(level - 1)
        for name in (upper, lower):
            self._of(name, spec.Exchange.Declare(exchange=name, type="topic", durable=True))
        key = delays.skip_pattern(level)
        self._of(upper, spec.Exchange.Bind(destination=lower, source=upper, routing_key=key))

    def _bind(self, queue: str, exchange: str, key: str) -> None:
        self._of(queue, spec.Queue.Bind(queue=queue, exchange=exchange, routing_key=key))

    def _declare(self, name: str, arguments: Mapping[str, Any]) -> None:
        typed = {"x-queue-type": self._queue_type, **arguments}
        self._of(name, spec.Queue.Declare(queue=name, durable=True, arguments=typed))

    def _limited(self, deliveries: int) -> dict[str, Any]:
        return {"x-delivery-limit": deliveries} if self._queue_type == "quorum" else {}

    def _of(self, queue: str, method: Any) -> Any:
        try:
            return self._call(method)
        except RefusedError as refused:
            if refused.missing_exchange is not None:
                self.forget_exchanges()
            raise meaning(refused, queue) from refused
