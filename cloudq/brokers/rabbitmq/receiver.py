"""Receiving: the streams of one connection, and what becomes of them when it is lost."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Lock, Thread

from cloudq.brokers.rabbitmq.connection import Connection
from cloudq.brokers.rabbitmq.holdings import Held
from cloudq.brokers.rabbitmq.messages import delivery, read, received_before
from cloudq.brokers.rabbitmq.refusals import RefusedError
from cloudq.brokers.rabbitmq.streams import Stream
from cloudq.clock import Clock
from cloudq.delivery import Delivery
from cloudq.errors import BrokerError, ConfigurationError, QueueNotFoundError

__all__ = ["Receiver"]

logger = logging.getLogger(__name__)

_EARLY = 60.0
"""Seconds before the server's timeout, which would close the channel with all that it has."""

Connect = Callable[[Callable[[float], float]], Connection]


class Receiver:
    """Takes messages out of queues.

    Args:
        connect: Makes a connection whose reading thread calls what is passed in; see `Connection`.
        clock: Time.
        ack_timeout: Seconds that the server lets a delivery wait for its ack.
        is_counting: Whether the server counts deliveries, as it does in quorum queues.
        return_copies: Gives back what has outlived its lease where the server doesn't count: as copies.
    """

    def __init__(
        self,
        connect: Connect,
        clock: Clock,
        *,
        ack_timeout: float,
        is_counting: bool,
        return_copies: Callable[[Stream, Sequence[Held]], None],
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._longest = max(ack_timeout - _EARLY, ack_timeout / 2)
        self._is_counting = is_counting
        self._return_copies = return_copies
        self._opening = Lock()
        self._connection: Connection | None = None
        self._streams: dict[str, Stream] = {}
        self._epochs: dict[str, Stream] = {}
        self._name = secrets.token_hex(4)
        self._numbers = count(1)
        self._planned_at = 0.0
        self.is_closed = False

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        """As `Broker.receive`."""
        deadline = self._clock.monotonic() + wait
        names = list(dict.fromkeys(queues))
        while not self.is_closed and names and limit > 0:
            try:
                connection, streams = self._open(names)
                with self._receiving(connection, streams):
                    found = self._look_round(connection, streams, limit, lease, is_look=wait <= 0)
                    if not found and self._wait(connection, streams, deadline):
                        found = self._look_round(connection, streams, limit, lease, is_look=False)
            except BrokerError:
                if self.is_closed:
                    break
                raise
            if found or self._clock.monotonic() >= deadline:
                return found
        return []

    def find(self, receipt: str) -> tuple[Stream, int] | None:
        """The stream and the tag that a receipt stands for; None where its channel is no more."""
        epoch, _, tag = receipt.rpartition("-")
        stream = self._epochs.get(epoch)
        return (stream, int(tag)) if stream is not None and stream.is_open else None

    def stream(self, queue: str) -> Stream | None:
        """A queue's stream; None where nothing is received from it."""
        stream = self._streams.get(queue)
        return stream if stream is not None and stream.is_open and not stream.is_gone else None

    def plan(self) -> None:
        """See that the reading thread looks again in time: some lease or some rest may begin sooner."""
        if (connection := self._connection) is not None:
            now = self._clock.monotonic()
            soonest = min((stream.due_at(now) for stream in list(self._streams.values())), default=0.0)
            if soonest < self._planned_at:
                connection.wake()

    def close(self) -> None:
        """Bring nothing more; what was delivered returns to its queue."""
        self.is_closed = True
        if (connection := self._connection) is None:
            return
        with connection.changed:
            connection.changed.notify_all()
        try:
            for stream in list(self._streams.values()):
                if stream.is_open:
                    stream.give_up(0)
        except BrokerError as error:
            logger.debug("closing: %s", error, extra={"action": "connection_closed"})
        connection.close()

    def _open(self, names: Sequence[str]) -> tuple[Connection, list[Stream]]:
        with self._opening:
            if self._connection is None or self._connection.failure is not None:
                if self._connection is not None and self._epochs:
                    why = self._connection.failure
                    logger.warning("connecting again: %s", why, extra={"action": "broker_reconnecting"})
                self._streams, self._epochs = {}, {}
                self._connection = self._connect(self._tick)
            return self._connection, [self._stream(self._connection, name) for name in names]

    def _stream(self, connection: Connection, name: str) -> Stream:
        known = self._streams.get(name)
        if known is not None:
            if known.is_open and not (known.is_gone or known.leave_if_forgotten()):
                return known
            self._let_go(known)
        epoch = f"{self._name}-{next(self._numbers)}"
        stream = Stream(name, connection, self._clock, epoch, self._longest)
        self._streams[name] = self._epochs[epoch] = stream
        return stream

    def _let_go(self, stream: Stream) -> None:
        self._epochs.pop(stream.epoch, None)
        if stream.is_open:
            stream.close()
        elif stream.channel.refusal is not None:
            logger.warning(
                "the channel was closed: %s",
                stream.channel.refusal,
                extra={"action": "channel_closed", "queue": stream.queue},
            )

    @contextmanager
    def _receiving(self, connection: Connection, streams: Sequence[Stream]) -> Generator[None]:
        """Let nobody end the consumers meanwhile: a wait relies on them, and on what has just come."""
        with connection.changed:
            for stream in streams:
                stream.receiving_count += 1
        try:
            yield
        finally:
            with connection.changed:
                for stream in streams:
                    stream.receiving_count -= 1
            self.plan()

    def _look_round(
        self, connection: Connection, streams: Sequence[Stream], limit: int, lease: float, *, is_look: bool
    ) -> list[Delivery]:
        found: list[Delivery] = []
        for stream in streams:
            room = limit - len(found)
            stream.want(room)
            # One that is less preferred is asked only when it is sure that this one is empty.
            if is_look or (stream is not streams[-1] and not stream.is_quiet()):
                stream.make_sure(room)
            with connection.changed:
                taken = stream.holdings.take(room, self._clock.monotonic(), lease)
            found += [self._delivery(stream, one) for one in taken]
            if len(found) >= limit:
                break
        return found

    def _delivery(self, stream: Stream, held: Held) -> Delivery:
        properties = read(held.content)
        before = received_before(properties, is_redelivered=held.content.is_redelivered)
        receipt = f"{stream.epoch}-{held.content.tag}"
        return delivery(stream.queue, receipt, held.content, before + 1, properties)

    def _wait(self, connection: Connection, streams: Sequence[Stream], deadline: float) -> bool:
        """Wait for something to come; whether it has."""
        with connection.changed:
            while not self._has_news(connection, streams) and self._clock.monotonic() < deadline:
                self._clock.wait(connection.changed, deadline)
        for stream in streams:
            if stream.is_gone:
                raise QueueNotFoundError(
                    f"Queue {stream.queue!r} was deleted on RabbitMQ at {connection.address}.",
                    queue=stream.queue,
                )
        return all(stream.is_open for stream in streams) and any(
            stream.holdings.waiting_count for stream in streams
        )

    def _has_news(self, connection: Connection, streams: Sequence[Stream]) -> bool:
        if self.is_closed or connection.failure is not None:
            return True
        return any(
            stream.holdings.waiting_count or stream.is_gone or not stream.is_open for stream in streams
        )

    # The reading thread

    def _tick(self, now: float) -> float:
        self._planned_at = float("inf")
        soonest = float("inf")
        for stream in list(self._streams.values()):
            try:
                soonest = min(soonest, stream.tick(now, self._give_back))
            except RefusedError as refused:
                logger.warning("not given back: %s", refused, extra={"action": "channel_closed"})
        self._planned_at = soonest
        return soonest

    def _give_back(self, stream: Stream, expired: Sequence[Held]) -> None:
        if self._is_counting:
            stream.reject([one.tag for one in expired])
            return
        # The reading thread must not wait for the copies to be confirmed.
        name = "cloudq-amqp-return"
        Thread(target=self._return_quietly, args=(stream, expired), name=name, daemon=True).start()

    def _return_quietly(self, stream: Stream, expired: Sequence[Held]) -> None:
        try:
            self._return_copies(stream, expired)
        except (BrokerError, ConfigurationError) as error:
            logger.warning("not given back: %s", error, extra={"action": "channel_closed"})
