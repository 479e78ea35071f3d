"""The Redis broker: every call one round trip, whatever the size of its batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from cloudq.brokers.base import Limits, QueueStats
from cloudq.brokers.redis import scripts, texts
from cloudq.brokers.redis.batches import MOST_BYTES, milliseconds, sending
from cloudq.brokers.redis.settling import settle
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, Delivery, NotSent, Outgoing, Reason, Release, Sent, Unknown
from cloudq.errors import BrokerError, BrokerUnavailableError, MessageTooLargeError, QueueNotFoundError
from cloudq.queues import FIFO_SUFFIX, Queue, base_name, dead_letter_name
from cloudq.redis import Call, Failure, Failures, Server, command, locate
from cloudq.redis.calls import Word

__all__ = ["RedisBroker", "connect"]

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes. While Redis copies a message, everybody waits."""

LONGEST_BLOCK = 1.0
"""Seconds after which a receive that waits looks again, whatever it was told: so late, at most, it notices
what nobody wakes it for (a lease of somebody else's that ends; a wake-up that a killed process got).
"""

NO_QUEUE = "NOQUEUE "
"""What a script answers, with the key, about a queue that was not declared."""

DEAD_SUFFIX = "-dead"

ASKED_FOR_AGE = 1000
"""How many ready messages are asked for their age. The oldest is among the first, but for long delays."""


def connect(url: str, *, clock: Clock) -> RedisBroker:
    """Make a broker from `redis://host:6379/0[?prefix=…]`; it is connected to on first use.

    Raises:
        ConfigurationError: The URL is misspelt, or redis-py is missing.
    """
    failures = Failures(unavailable=BrokerUnavailableError, broken=BrokerError)
    return RedisBroker(Server(locate(url), failures), clock)


def _not_ahead() -> float:
    return 0.0


class RedisBroker:
    """Queues in one Redis server. Leases and delays end by that server's clock.

    Args:
        server: Where.
        clock: What waits are measured on.
        ahead: Seconds by which the broker's time is ahead of the server's: how tests make it pass.
    """

    limits = Limits(max_body_bytes=LARGEST_BODY)

    def __init__(self, server: Server, clock: Clock, ahead: Callable[[], float] = _not_ahead) -> None:
        self._server = server
        self._clock = clock
        self._ahead_seconds = ahead
        self._root = server.address.root
        self._keys: dict[str, str] = {}

    def declare(self, queue: Queue) -> None:
        names = (queue.name, queue.dead_letter)
        # Made anew where somebody deleted it: what may have fallen due meanwhile is asked of its sorted sets.
        calls = [
            command("HSETNX", self._key(name), field, 0) for name in names for field in ("largest", "due")
        ]
        calls.append(command("SADD", f"{self._root}:queues", *names))
        calls += [command("SADD", self._topic(topic), queue.name) for topic in queue.topics]
        for answer in self._server.run(calls):
            self._checked(answer, queue.name)

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        for message in messages:
            _check_size(f"queue {queue!r}", queue, message)
        if not messages:
            return []
        batches = self._copies(queue, messages)
        answers: list[Accepted] = []
        for said, (_, part) in zip(self._server.run([call for call, _ in batches]), batches, strict=True):
            answers += [self._accepted(said, queue)] * len(part)
        return answers

    def publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        for message in messages:
            _check_size(f"topic {topic!r}", None, message)
        found = self._checked(self._server.run([command("SMEMBERS", self._topic(topic))])[0], None)
        queues = sorted(name.decode() for name in found)
        copies = [self._copies(queue, messages) for queue in queues] if messages else []
        said = iter(self._server.run([call for calls in copies for call, _ in calls]) if copies else [])
        by_queue = [
            [answer for _, part in calls for answer in [self._accepted(next(said), queue)] * len(part)]
            for queue, calls in zip(queues, copies, strict=True)
        ]
        return [_together([answers[at] for answers in by_queue]) for at in range(len(messages))]

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        deadline = self._clock.monotonic() + wait
        keys = [self._key(queue) for queue in queues]
        limit = min(limit, self.limits.max_receive)
        wakes = [f"{key}:wake" for key in keys]
        with self._server.until_closed():
            token, call = self._looking(keys, limit, lease, 0)
            woken, said = None, self._server.run([call])[0]
            while not isinstance(found := self._found(queues, token, said), list):
                self._checked(woken, None)  # after what was found, which is leased by now
                if (now := self._clock.monotonic()) >= deadline:
                    break
                pause = self._clock.real(min(found, deadline - now, LONGEST_BLOCK))
                token, call = self._looking(keys, limit, lease, 1)
                woken, said = self._server.wait(wakes, pause, call)
            else:
                return found
        return []

    def _looking(self, keys: Sequence[str], limit: int, lease: float, waits: int) -> tuple[str, Call]:
        token = os.urandom(8).hex()
        words = [self._ahead, limit, milliseconds(lease), token, MOST_BYTES, waits]
        return token, scripts.RECEIVE.call(keys, words)

    def _found(self, queues: Sequence[str], token: str, said: Any) -> list[Delivery] | float:
        """What is ready; if nothing is, seconds until something falls due."""
        said = self._checked(said, None)
        if isinstance(said, int):
            return said / 1000 if said >= 0 else float("inf")
        deliveries: list[Delivery] = []
        for at in range(0, len(said), 4):
            number: int = said[at]
            deliveries += texts.received(queues[number - 1], token, *said[at + 1 : at + 4])
        return deliveries

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        return settle(self._server, deliveries, lambda one: one, self._acking)

    def _acking(self, queue: str, deliveries: Sequence[Delivery]) -> Call:
        key = self._key(queue)
        if not queue.endswith(FIFO_SUFFIX):
            return scripts.ACK.call([key], [self._ahead, *(one.receipt for one in deliveries)])
        words = (word for one in deliveries for word in (one.receipt, _group(one)))
        return scripts.ACK_FIFO.call([key], [self._ahead, *words])

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        return settle(self._server, leases, lambda one: one[0], self._extending)

    def _extending(self, queue: str, leases: Sequence[tuple[Delivery, float]]) -> Call:
        words = (word for one, lease in leases for word in (one.receipt, milliseconds(lease)))
        return scripts.EXTEND.call([self._key(queue)], [self._ahead, *words])

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        for one in releases:
            if one.body is not None:
                name = one.delivery.queue
                _check_size(f"queue {name!r}", name, Outgoing(one.delivery.id, one.body))
        return settle(self._server, releases, lambda one: one.delivery, self._releasing)

    def _releasing(self, queue: str, releases: Sequence[Release]) -> Call:
        words: list[Word] = []
        largest = 0
        for one in releases:
            text = b"" if one.body is None else texts.rewritten(one.delivery, one.body)
            largest = max(largest, len(text))
            words += (one.delivery.receipt, milliseconds(one.delay), 0 if one.is_counted else 1, text)
        return scripts.RELEASE.call([self._key(queue)], [self._ahead, largest, *words])

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        answers = settle(self._server, dead, lambda one: one[0], self._burying)
        if all(isinstance(one, Unknown) for one in answers):
            for queue in {dead_letter_name(one.queue) for one, _ in dead}:
                if not self._checked(self._server.run([command("EXISTS", self._key(queue))])[0], queue):
                    raise self._not_found(queue)
        return answers

    def _burying(self, queue: str, dead: Sequence[tuple[Delivery, Reason]]) -> Call:
        now = self._clock.now()
        buried = [texts.buried(one, reason, now) for one, reason in dead]
        words: list[Word] = [self._ahead, max(map(len, buried)), int(queue.endswith(FIFO_SUFFIX))]
        for (one, _), text in zip(dead, buried, strict=True):
            words += (one.receipt, _group(one), text)
        return scripts.BURY.call([self._key(queue), self._key(dead_letter_name(queue))], words)

    def stats(self, queue: str) -> QueueStats:
        keys = [self._key(queue), self._key(dead_letter_name(queue))]
        call = scripts.STATS.call(keys, [self._ahead, ASKED_FOR_AGE])
        count, leased, delayed, dead, age = self._checked(self._server.run([call])[0], queue)
        ready = count - leased - delayed
        return QueueStats(ready, leased, delayed, dead, None if age < 0 else age / 1000)

    def queues(self) -> list[str]:
        found = self._checked(self._server.run([command("SMEMBERS", f"{self._root}:queues")])[0], None)
        return sorted(name.decode() for name in found)

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        if limit < 1:
            return []
        call = scripts.PEEK.call([self._key(queue)], [self._ahead, limit])
        said = self._checked(self._server.run([call])[0], queue)
        return [
            texts.seen(queue, said[at].decode(errors="replace"), said[at + 1])
            for at in range(0, len(said), 2)
        ]

    def purge(self, queue: str) -> None:
        self._checked(self._server.run([scripts.PURGE.call([self._key(queue)], [])])[0], queue)

    def close(self) -> None:
        self._server.close()

    @property
    def _ahead(self) -> int:
        return milliseconds(self._ahead_seconds())

    def _key(self, queue: str) -> str:
        """A queue's key. Its levels' and dead letters' have the same in braces, and so share a slot."""
        if queue not in self._keys:
            stem = base_name(queue.removesuffix(FIFO_SUFFIX))
            while stem.endswith(DEAD_SUFFIX):
                stem = stem.removesuffix(DEAD_SUFFIX)
            self._keys[queue] = f"{self._root}:{{{stem}}}{queue[len(stem) :]}"
        return self._keys[queue]

    def _topic(self, topic: str) -> str:
        return f"{self._root}:topic:{topic}"

    def _copies(self, queue: str, messages: Sequence[Outgoing]) -> list[tuple[Call, Sequence[Outgoing]]]:
        return sending(queue, self._key(queue), messages, self._ahead)

    def _accepted(self, said: int | Failure, queue: str) -> Accepted:
        if not isinstance(said, Failure):
            return Sent()
        if said.is_lost:
            return Unknown(str(said.error))
        if said.said.startswith(NO_QUEUE):
            raise self._not_found(queue)
        return NotSent(str(said.error), retryable=isinstance(said.error, BrokerUnavailableError))

    def _checked(self, said: Any, queue: str | None) -> Any:
        """An answer; an error where the call failed."""
        if not isinstance(said, Failure):
            return said
        if said.said.startswith(NO_QUEUE):
            key = said.said.removeprefix(NO_QUEUE)
            raise self._not_found(queue or next(name for name, known in self._keys.items() if known == key))
        raise said.error

    def _not_found(self, queue: str) -> QueueNotFoundError:
        return QueueNotFoundError(
            f"There is no queue {queue!r} in Redis at {self._server.address.shown}: declare it first.",
            queue=queue,
        )


def _together(answers: Sequence[Accepted]) -> Accepted:
    """What became of a message, of whose copies these are the answers."""
    failed = [answer for answer in answers if not isinstance(answer, Sent)]
    if not failed:
        return Sent()
    if len(failed) == len(answers) and all(isinstance(answer, NotSent) for answer in failed):
        return failed[0]
    return Unknown(f"{len(failed)} of {len(answers)} queues may lack their copy: {failed[0].why}")


def _group(delivery: Delivery) -> str:
    return delivery.group or delivery.id


def _check_size(place: str, queue: str | None, message: Outgoing) -> None:
    if len(message.body) > LARGEST_BODY:
        raise MessageTooLargeError(
            f"A message for {place} has {len(message.body)} bytes, Redis is given {LARGEST_BODY} at most: "
            "keep what is large in a file and send its name.",
            queue=queue,
            size_bytes=len(message.body),
            limit_bytes=LARGEST_BODY,
        )
