"""A queue's deliveries: one channel, and a consumer whose prefetch follows what is asked for."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from itertools import count
from threading import Lock
from typing import Any

from cloudq.brokers.rabbitmq.connection import Channel, Connection
from cloudq.brokers.rabbitmq.frames import GET_OK, RETURN, Content, acked, called, rejected, returned, spec
from cloudq.brokers.rabbitmq.holdings import Held, Holdings
from cloudq.brokers.rabbitmq.refusals import RefusedError, meaning
from cloudq.clock import Clock

__all__ = ["Stream"]

logger = logging.getLogger(__name__)

IDLE = 1.0
"""Seconds after the last receive until what was delivered ahead goes back, for others to have."""

_QUIET = 0.05
"""Seconds without a delivery, though there was room for one, after which a queue is taken for empty."""

_LOW = 2.0
"""Seconds for which less than half of the prefetch is asked for, before it is lowered."""

_FORGOTTEN = 30.0
"""Seconds without a delivery after which a stream is opened anew. A server may have forgotten a consumer
without a word: 3.10 does when a quorum queue is deleted and made again within some 50 ms, and what it gives
that consumer from then on never arrives, nor goes to others until the channel is closed. Seen 2026-11."""

_LOOKS = 5

_APPLIED = 0.1
"""Seconds in which a quorum queue, which writes it down first, counts what it was given back."""
_RETURNED = 1.0
"""Seconds at most that are waited for what is being given back as a copy, and would be counted twice."""
_GLANCE = 0.01

_GROWTH = 1.25
_MOST = 65_535
"""A prefetch has 16 bits."""


class Stream:
    """One queue's channel.

    Three locks, of which whoever holds one takes only those behind it: `_adjusting`, for who starts and ends
    the consumer; `_ordering`, for who settles; the connection's `changed`, for what the reading thread sees.

    Args:
        queue: Which.
        connection: On which connection.
        clock: Time.
        epoch: The channel's own number, which its receipts begin with.
        longest: Seconds that the server lets a delivery wait for its ack.
    """

    def __init__(self, queue: str, connection: Connection, clock: Clock, epoch: str, longest: float) -> None:
        self.queue = queue
        self.epoch = epoch
        self.holdings = Holdings(longest)
        self.receiving_count = 0
        """Receives from it that are under way."""
        self.is_gone = False
        """Whether the server has ended the consumer: the queue was deleted."""
        self._connection = connection
        self._clock = clock
        self._ordering = Lock()  # what is settled is written before anything later is
        self._adjusting = Lock()
        self._prefetch = 0
        self._consumer: str | None = None
        self._names = count(1)
        self._asked_at = self._came_at = clock.monotonic()
        self._returned_at = float("-inf")
        self._low_since: float | None = None
        self._channel = connection.channel()
        self._channel.on_content = self._arrived
        self._channel.on_cancel = self._cancelled

    @property
    def channel(self) -> Channel:
        return self._channel

    @property
    def is_open(self) -> bool:
        return self._channel.is_open

    def leave_if_forgotten(self) -> bool:
        """Close it where nothing has come for long and nothing is held; tells whether it did."""
        with self._adjusting:
            if self._is_busy() or self._clock.monotonic() - self._came_at < _FORGOTTEN:
                return False
            if self._consumer is not None:
                self._stop()
            if self._is_busy():  # it came after all
                return False
            self._channel.close()
            return True

    def close(self) -> None:
        """Close it: what it held is gone with its queue."""
        with contextlib.suppress(RefusedError):  # the server was faster
            self._channel.close()

    def _is_busy(self) -> bool:
        with self._connection.changed:
            return bool(self.holdings.waiting_count or self.holdings.held_count)

    # Asking for messages

    def want(self, room: int) -> None:
        """Let the server deliver so many beyond what is held.

        Raises:
            QueueNotFoundError: There is no such queue.
            BrokerUnavailableError: The connection is lost.
        """
        with self._adjusting:
            now = self._clock.monotonic()
            with self._connection.changed:
                self._asked_at = now
                held = self.holdings.held_count
            wanted = min(held + room, _MOST)
            if self._consumer is None:
                self._start(wanted)
            elif wanted > self._prefetch and (wanted >= _GROWTH * self._prefetch or held >= self._prefetch):
                self._stop()
                self._start(wanted)
            elif self._is_low(wanted, now):
                self._stop()
                self.give_up(room)
                self._start(wanted)

    def make_sure(self, room: int) -> None:
        """Have come what is in the queue, up to so many messages.

        A get that finds nothing says that all has been given to consumers. What they were given may still be
        on its way to the channel; it is written before the answer to the next call.
        """
        while self._here()[0] < room:
            if not isinstance(self._call(spec.Basic.Get(queue=self.queue)), Content):
                self.settle_down()
                return

    def settle_down(self) -> None:
        """Have come what the server has already given to this channel."""
        self._call(spec.Basic.Qos(prefetch_count=self._prefetch))

    def look(self) -> list[Content]:
        """What was delivered ahead."""
        with self._connection.changed:
            return self.holdings.look()

    def is_quiet(self) -> bool:
        """Whether the queue has been empty for a while."""
        with self._connection.changed:
            has_room = self.holdings.held_count + self.holdings.waiting_count < self._prefetch
            return has_room and self._clock.monotonic() - self._came_at > _QUIET

    def count(self) -> tuple[int, int]:
        """Messages that are ready, those that were delivered ahead included; and those under a lease."""
        ready, here = 0, (0, 0, 0)
        for _ in range(_LOOKS):
            self._wait_for_returns()
            before = self._here()
            ready = self._call(spec.Queue.Declare(queue=self.queue, passive=True)).message_count
            self.settle_down()
            if (here := self._here()) == before:
                break  # nothing moved from the one count to the other meanwhile
        waiting, held, ended = here
        return ready + waiting + ended, held - ended

    def _wait_for_returns(self) -> None:
        with self._connection.changed:
            now = self._clock.monotonic()
            latest = now + _RETURNED
            while now < self._returned_at + _APPLIED or (now < latest and self.holdings.is_returning(now)):
                self._clock.wait(self._connection.changed, now + _GLANCE)
                now = self._clock.monotonic()

    def _here(self) -> tuple[int, int, int]:
        """What waits, what is held, and what of that has outlived its lease."""
        with self._connection.changed:
            holdings = self.holdings
            ended = holdings.count_ended(self._clock.monotonic())
            return holdings.waiting_count, holdings.held_count, ended

    def _is_low(self, wanted: int, now: float) -> bool:
        if 2 * wanted >= self._prefetch:
            self._low_since = None
            return False
        if self._low_since is None:
            self._low_since = now
        return now - self._low_since > _LOW

    def _start(self, prefetch: int) -> None:
        self._low_since = None
        self._prefetch = max(1, prefetch)
        self._call(spec.Basic.Qos(prefetch_count=self._prefetch))
        name = f"{self.epoch}-{next(self._names)}"
        self._call(spec.Basic.Consume(queue=self.queue, consumer_tag=name))
        with self._connection.changed:
            self._consumer = name
            self._came_at = self._clock.monotonic()

    def _stop(self) -> None:
        name, self._consumer = self._consumer, None
        self._call(spec.Basic.Cancel(consumer_tag=name or ""))

    def _call(self, method: Any) -> Any:
        try:
            return self._channel.call(method)
        except RefusedError as refused:
            raise meaning(refused, self.queue) from refused

    # What the reading thread does

    def _arrived(self, content: Content) -> None:
        if content.kind == RETURN:
            return
        now = self._clock.monotonic()
        self._came_at = now
        self.holdings.arrive(content, now)
        if content.kind == GET_OK:
            self._channel.answers.append(content)

    def _cancelled(self) -> None:
        self._consumer = None
        self.is_gone = True

    def tick(self, now: float, give_back: Callable[[Stream, Sequence[Held]], None]) -> float:
        """Give back what has outlived its lease, or what nobody asks for; when to look again."""
        if not self.is_open:
            return float("inf")
        with self._connection.changed:
            expired = self.holdings.expire(now)
            is_idle = not self.receiving_count and (expired or now - self._asked_at >= IDLE)
            has_idle = is_idle and self._is_active()
        if has_idle:
            self.rest()
        if expired:
            logger.warning(
                "%d leases have ended", len(expired), extra={"action": "lease_ended", "queue": self.queue}
            )
            give_back(self, expired)
        with self._connection.changed:
            return self.due_at(now)

    def due_at(self, now: float) -> float:
        """When there is something for `tick` to do."""
        idle_at = max(now, self._asked_at) + IDLE if self._is_active() else float("inf")
        return min(self.holdings.due_at, idle_at)

    def _is_active(self) -> bool:
        """Whether it takes messages that others could have."""
        return self._consumer is not None or self.holdings.waiting_count > 0

    def rest(self) -> None:
        """Consume no more, and give back what was delivered ahead, unless somebody receives.

        What is given back would only come again, and be counted. Nothing is waited for here.
        """
        if not self._adjusting.acquire(blocking=False):
            return
        try:
            with self._connection.changed:
                if self.receiving_count:
                    return
                name, self._consumer = self._consumer, None
            if name is not None:
                cancel = spec.Basic.Cancel(consumer_tag=name, nowait=True)
                self._channel.write(called(self._channel.number, cancel))
            self.give_up(0)
        finally:
            self._adjusting.release()

    # Settling

    def leave(self, tags: Sequence[int]) -> list[Held | None]:
        """Begin to settle these; None for each whose lease has ended."""
        now = self._clock.monotonic()
        with self._connection.changed:
            return [self.holdings.leave(tag, now) for tag in tags]

    def extend(self, tag: int, lease: float) -> bool:
        """Let a lease end so many seconds from now; whether there was one."""
        with self._connection.changed:
            return self.holdings.extend(tag, self._clock.monotonic(), lease)

    def stay(self, tags: Sequence[int]) -> None:
        """What was begun came to nothing."""
        with self._connection.changed:
            self.holdings.stay(tags)

    def ack(self, tags: Sequence[int]) -> None:
        """Ack what was begun."""
        number = self._channel.number
        with self._ordering:
            with self._connection.changed:
                acks = self.holdings.gone(tags)
            if acks:
                self._channel.write(b"".join(acked(number, tag, multiple=many) for tag, many in acks))

    def release(self, tags: Sequence[int]) -> None:
        """Give back what was begun; when this returns, the server has it."""
        self.rest()
        self.reject(tags)
        self.settle_down()

    def reject(self, tags: Sequence[int]) -> None:
        """Give back what was begun; the server counts it."""
        with self._ordering:
            self._channel.write(b"".join(rejected(self._channel.number, tag) for tag in tags))
            with self._connection.changed:
                self.holdings.forget(tags)
                self._returned_at = self._clock.monotonic()

    def give_up(self, kept: int) -> None:
        """Give back what was delivered ahead, but for so many."""
        with self._ordering:
            with self._connection.changed:
                tags = self.holdings.surplus(kept)
            if tags:
                self._channel.write(b"".join(returned(self._channel.number, tag) for tag in tags))

    def ack_all(self) -> None:
        """Delete whatever is here."""
        with self._ordering:
            with self._connection.changed:
                tags = self.holdings.clear()
            if tags:
                self._channel.write(b"".join(acked(self._channel.number, tag) for tag in tags))
