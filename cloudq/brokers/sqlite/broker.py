"""The SQLite broker: every call one transaction, whatever the size of its batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cloudq.brokers.base import DEDUPLICATION, Limits, QueueStats
from cloudq.brokers.sqlite import rows, sql
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, Delivery, Lost, Outgoing, Reason, Release, Sent, Settled
from cloudq.errors import BrokerError, BrokerUnavailableError, MessageTooLargeError, QueueNotFoundError
from cloudq.queues import FIFO_SUFFIX, Queue, dead_letter_name
from cloudq.sqlite import Database, Failures, locate

__all__ = ["SqliteBroker", "connect"]

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes. SQLite has one writer at a time: who writes more keeps everybody waiting."""


def connect(url: str, *, clock: Clock) -> SqliteBroker:
    """Make a broker from `sqlite:///path[?synchronous=normal]`; the file is made on first use.

    Raises:
        ConfigurationError: The URL is misspelt, or the path lies on a network file system.
    """
    failures = Failures(unavailable=BrokerUnavailableError, broken=BrokerError)
    return SqliteBroker(Database(locate(url), sql.SCHEMA, failures, clock), clock)


class SqliteBroker:
    """Queues in one SQLite file.

    Leases and delays end by the wall clock, the only one that processes share: where it jumps forward leases
    end early and messages run twice, where it jumps back they end late.

    Args:
        database: The file.
        clock: What leases and delays are measured on.
    """

    limits = Limits(max_body_bytes=LARGEST_BODY)

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ids: dict[
            str, int
        ] = {}  # no queue is ever deleted: this is true as long as the file is the same
        self._ids_of = 0

    def declare(self, queue: Queue) -> None:
        with self._database.transaction() as connection:
            connection.executemany(sql.DECLARE, [(queue.name,), (queue.dead_letter,)])
            connection.executemany(sql.SUBSCRIBE, [(topic, queue.name) for topic in queue.topics])

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        for message in messages:
            _check_size(f"queue {queue!r}", queue, message)
        with self._database.transaction() as connection:
            _add(connection, self._id(connection, queue), queue, messages, self._clock.now())
        self._database.announce()
        return [Sent() for _ in messages]

    def publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        for message in messages:
            _check_size(f"topic {topic!r}", None, message)
        with self._database.transaction() as connection:
            now = self._clock.now()
            for number, queue in connection.execute(sql.SUBSCRIBERS, (topic,)).fetchall():
                _add(connection, number, queue, messages, now)
        self._database.announce()
        return [Sent() for _ in messages]

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        deadline = self._clock.monotonic() + wait
        limit = min(limit, self.limits.max_receive)
        with self._database.until_closed():
            while not self._database.is_closed:
                state = self._database.state()
                due_in = self._due_in(queues)
                if due_in <= 0 and (deliveries := self._take(queues, limit, lease)):
                    return deliveries
                if (now := self._clock.monotonic()) >= deadline:
                    break
                self._database.wait(state, min(deadline, now + max(due_in, 0)))
        return []

    def _due_in(self, queues: Sequence[str]) -> float:
        """Seconds until a message falls due. A look that locks nobody out, unlike `_take`."""
        with self._database.connection() as connection:
            numbers = [self._id(connection, queue) for queue in queues]
            found = [connection.execute(sql.NEXT_DUE, (number,)).fetchone() for number in numbers]
        return min((row[0] for row in found if row), default=float("inf")) - self._clock.now()

    def _take(self, queues: Sequence[str], limit: int, lease: float) -> list[Delivery]:
        deliveries: list[Delivery] = []
        with self._database.transaction() as connection:
            now = self._clock.now()
            for queue in queues:
                asked = {
                    "queue": self._id(connection, queue),
                    "now": now,
                    "until": now + lease,
                    "limit": limit - len(deliveries),
                }
                found = connection.execute(sql.LEASE, asked).fetchall()
                deliveries += [
                    rows.delivery(queue, row, self._database.replaced_count) for row in sorted(found)
                ]
        return deliveries

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        answers: list[Answer] = []
        with self._database.transaction() as connection:
            now = self._clock.now()
            for delivery in deliveries:
                gone = connection.execute(
                    sql.ACK, (*rows.held(delivery, self._database.replaced_count), now)
                ).fetchall()
                answers.append(Settled() if gone else Lost())
                _move_up(connection, gone)
        self._announce_groups(deliveries)
        return answers

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        with self._database.transaction() as connection:
            now = self._clock.now()
            return [
                _answer(
                    connection.execute(
                        sql.EXTEND, (now + lease, *rows.held(delivery, self._database.replaced_count), now)
                    )
                )
                for delivery, lease in leases
            ]

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        for release in releases:
            if release.body is not None:
                name = release.delivery.queue
                _check_size(f"queue {name!r}", name, Outgoing(release.delivery.id, release.body))
        with self._database.transaction() as connection:
            now = self._clock.now()
            answers = [
                _answer(
                    connection.execute(
                        sql.RELEASE, rows.released(release, now, self._database.replaced_count)
                    )
                )
                for release in releases
            ]
        self._database.announce()
        return answers

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        with self._database.transaction() as connection:
            now = self._clock.now()
            answers = [self._bury(connection, delivery, reason, now) for delivery, reason in dead]
        self._database.announce()
        return answers

    def _bury(self, connection: sqlite3.Connection, delivery: Delivery, reason: Reason, now: float) -> Answer:
        target = self._id(connection, dead_letter_name(delivery.queue))
        gone = connection.execute(
            sql.TAKE_OUT, (*rows.held(delivery, self._database.replaced_count), now)
        ).fetchall()
        if not gone:
            return Lost()
        full = replace(reason, queue=delivery.queue, receive_count=delivery.receive_count, died_at=now)
        connection.execute(sql.SEND, rows.buried(target, gone[0], full, now))
        _move_up(connection, gone)
        return Settled()

    def stats(self, queue: str) -> QueueStats:
        with self._database.connection() as connection:
            number, now = self._id(connection, queue), self._clock.now()
            ready, oldest = connection.execute(sql.READY, (number, now)).fetchone()
            others, leased = connection.execute(sql.NOT_READY, (number, now)).fetchone()
            dead = connection.execute(sql.QUEUE, (dead_letter_name(queue),)).fetchone()
            (buried,) = connection.execute(sql.COUNT, dead).fetchone() if dead else (0,)
        return QueueStats(
            ready=ready,
            leased=leased,
            delayed=others - leased,
            dead=buried,
            oldest_age=None if oldest is None else max(0.0, now - oldest),
        )

    def queues(self) -> list[str]:
        with self._database.connection() as connection:
            return [name for (name,) in connection.execute(sql.QUEUES)]

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        look = sql.PEEK_FIFO if queue.endswith(FIFO_SUFFIX) else sql.PEEK
        with self._database.connection() as connection:
            asked = (self._id(connection, queue), self._clock.now(), limit)
            return [
                rows.delivery(queue, row, self._database.replaced_count)
                for row in connection.execute(look, asked)
            ]

    def purge(self, queue: str) -> None:
        with self._database.transaction() as connection:
            number = self._id(connection, queue)
            connection.execute(sql.PURGE, (number,))
            connection.execute(sql.PURGE_REPEATS, (number,))

    def close(self) -> None:
        self._database.close()

    def _id(self, connection: sqlite3.Connection, queue: str) -> int:
        if self._ids_of != self._database.replaced_count:
            self._ids, self._ids_of = {}, self._database.replaced_count
        if (known := self._ids.get(queue)) is not None:
            return known
        row = connection.execute(sql.QUEUE, (queue,)).fetchone()
        if row is None:
            raise QueueNotFoundError(
                f"There is no queue {queue!r} in {self._database.path}: declare it first.", queue=queue
            )
        return self._ids.setdefault(queue, row[0])

    def _announce_groups(self, deliveries: Sequence[Delivery]) -> None:
        """What stood behind an acked message of a FIFO group may be received now."""
        if any(delivery.queue.endswith(FIFO_SUFFIX) for delivery in deliveries):
            self._database.announce()


def _add(
    connection: sqlite3.Connection, number: int, queue: str, messages: Sequence[Outgoing], now: float
) -> None:
    fresh = messages
    if queue.endswith(FIFO_SUFFIX):
        connection.execute(sql.FORGET_REPEATS, (now,))
        fresh = [message for message in messages if _is_first(connection, number, message, now)]
    connection.executemany(
        sql.SEND, [rows.row(number, message, now, is_fifo=fresh is not messages) for message in fresh]
    )


def _check_size(place: str, queue: str | None, message: Outgoing) -> None:
    if len(message.body) > LARGEST_BODY:
        raise MessageTooLargeError(
            f"A message for {place} has {len(message.body)} bytes, SQLite takes {LARGEST_BODY}: keep what "
            "is large in a file and send its name.",
            queue=queue,
            size_bytes=len(message.body),
            limit_bytes=LARGEST_BODY,
        )


def _is_first(connection: sqlite3.Connection, queue: int, message: Outgoing, now: float) -> bool:
    key = message.deduplication_id or message.id
    return connection.execute(sql.IS_FIRST, (queue, key, now + DEDUPLICATION)).rowcount == 1


def _move_up(connection: sqlite3.Connection, gone: Sequence[tuple[Any, ...]]) -> None:
    """Let the next of a FIFO group be received. `gone` begins with the queue and the group."""
    for queue, group, *_ in gone:
        if group is not None:
            connection.execute(sql.NEXT_OF_GROUP, (queue, group))


def _answer(cursor: sqlite3.Cursor) -> Answer:
    return Settled() if cursor.rowcount == 1 else Lost()
