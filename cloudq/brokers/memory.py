"""Queues in this process's memory: gone when it ends. The contract, in the fewest words that hold it.

| piece | what it is |
|---|---|
| `MemoryBroker` | the broker: one lock, on which receives wait |
| `_Queue` | messages of one queue, in the order in which they fall due |
| `_Entry` | one message with its lease |
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from threading import Condition

from cloudq.brokers.base import DEDUPLICATION, Limits, QueueStats
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, Delivery, Lost, Outgoing, Reason, Release, Sent, Settled
from cloudq.errors import ConfigurationError, QueueNotFoundError
from cloudq.queues import FIFO_SUFFIX, Queue, dead_letter_name

__all__ = ["MemoryBroker", "connect"]


def connect(url: str, *, clock: Clock) -> MemoryBroker:
    """Make a broker from `memory://`; each call makes another one.

    Raises:
        ConfigurationError: The URL names something: what is in memory can't be found by a name.
    """
    if url != "memory://":
        raise ConfigurationError(f"Broker URL {url!r}: write memory:// and nothing behind it.")
    return MemoryBroker(clock)


class MemoryBroker:
    """Queues in this process's memory.

    Args:
        clock: What leases and delays are measured on.
    """

    limits = Limits(is_shared=False)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[str, _Queue] = {}
        self._topics: dict[str, list[str]] = {}
        self._sequence = count(1)
        self._changed = Condition()
        self._is_closed = False

    def declare(self, queue: Queue) -> None:
        with self._changed:
            for name in (queue.name, queue.dead_letter):
                self._queues.setdefault(name, _Queue(name))
            for topic in queue.topics:
                subscribers = self._topics.setdefault(topic, [])
                if queue.name not in subscribers:
                    subscribers.append(queue.name)

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        with self._changed:
            self._add(self._queue(queue), messages)
        return [Sent() for _ in messages]

    def publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        with self._changed:
            for queue in self._topics.get(topic, ()):
                self._add(self._queue(queue), messages)
        return [Sent() for _ in messages]

    def _add(self, target: _Queue, messages: Sequence[Outgoing]) -> None:
        now = self._clock.monotonic()
        for message in messages:
            if not target.is_repeat(message, now):
                target.add(_Entry(next(self._sequence), message, now + message.delay, self._clock.now()))
        self._changed.notify_all()

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        deadline = self._clock.monotonic() + wait
        with self._changed:
            sources = [self._queue(name) for name in queues]
            while not self._is_closed:
                now = self._clock.monotonic()
                deliveries: list[Delivery] = []
                for source in sources:
                    deliveries += source.take(limit - len(deliveries), now, now + lease)
                if deliveries or now >= deadline:
                    return deliveries
                self._clock.wait(self._changed, min([deadline, *(source.next_due() for source in sources)]))
        return []

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        return [self._ack(delivery) for delivery in deliveries]

    def _ack(self, delivery: Delivery) -> Answer:
        with self._changed:
            queue = self._queue(delivery.queue)
            if (entry := queue.held(delivery.receipt, self._clock.monotonic())) is None:
                return Lost()
            queue.remove(entry)
            self._changed.notify_all()  # the next of its FIFO group may go
            return Settled()

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        return [self._extend(delivery, lease) for delivery, lease in leases]

    def _extend(self, delivery: Delivery, lease: float) -> Answer:
        with self._changed:
            queue, now = self._queue(delivery.queue), self._clock.monotonic()
            if (entry := queue.held(delivery.receipt, now)) is None:
                return Lost()
            queue.schedule(entry, now + lease)
            return Settled()

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        return [self._release(release) for release in releases]

    def _release(self, release: Release) -> Answer:
        with self._changed:
            queue, now = self._queue(release.delivery.queue), self._clock.monotonic()
            if (entry := queue.held(release.delivery.receipt, now)) is None:
                return Lost()
            if release.body is not None:
                entry.message = entry.message._replace(body=release.body)
            if not release.is_counted:
                entry.receive_count -= 1
            queue.end_lease(entry)
            queue.schedule(entry, now + release.delay)
            self._changed.notify_all()
            return Settled()

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        return [self._dead_letter(delivery, reason) for delivery, reason in dead]

    def _dead_letter(self, delivery: Delivery, reason: Reason) -> Answer:
        with self._changed:
            queue, now = self._queue(delivery.queue), self._clock.monotonic()
            target = self._queue(dead_letter_name(delivery.queue))
            if (entry := queue.held(delivery.receipt, now)) is None:
                return Lost()
            queue.remove(entry)
            reason = replace(
                reason, queue=delivery.queue, receive_count=entry.receive_count, died_at=self._clock.now()
            )
            target.add(_Entry(next(self._sequence), entry.message, now, entry.sent_at, reason=reason))
            self._changed.notify_all()
            return Settled()

    def stats(self, queue: str) -> QueueStats:
        with self._changed:
            now = self._clock.monotonic()
            entries = self._queue(queue).entries.values()
            dead = self._queues.get(dead_letter_name(queue))
            ready = [entry for entry in entries if entry.due_at <= now]
            leased = sum(entry.due_at > now and bool(entry.receipt) for entry in entries)
            return QueueStats(
                ready=len(ready),
                leased=leased,
                delayed=len(entries) - len(ready) - leased,
                dead=0 if dead is None else len(dead.entries),
                oldest_age=max((self._clock.now() - entry.sent_at for entry in ready), default=None),
            )

    def queues(self) -> list[str]:
        with self._changed:
            return sorted(self._queues)

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        with self._changed:
            return self._queue(queue).look(limit, self._clock.monotonic())

    def purge(self, queue: str) -> None:
        with self._changed:
            self._queue(queue).clear()
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _queue(self, name: str) -> _Queue:
        try:
            return self._queues[name]
        except KeyError:
            raise QueueNotFoundError(f"There is no queue {name!r}: declare it first.", queue=name) from None


@dataclass(slots=True)
class _Entry:
    """One message in a queue. Held while `receipt` is set and `due_at` ahead."""

    sequence: int
    message: Outgoing
    due_at: float
    """When a receive may bring it: its delay's end or its lease's, on the monotonic clock."""
    sent_at: float
    receive_count: int = 0
    lease_count: int = 0
    """Never falls, so that no receipt comes twice, though an uncounted release lowers the above."""
    receipt: str = ""
    reason: Reason | None = None


class _Queue:
    """Messages in the order in which they fall due.

    Invariant: of each FIFO group the first message alone is in `_due`, whatever its state, so that whatever
    holds it back holds back the group.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: dict[int, _Entry] = {}
        self._is_fifo = name.endswith(FIFO_SUFFIX)
        self._due: list[tuple[float, int]] = []  # a heap; a pair is stale unless its entry still says so
        self._leases: dict[str, _Entry] = {}
        self._groups: dict[str, deque[_Entry]] = {}
        self._seen: dict[str, float] = {}  # deduplication ids and when each is forgotten, the oldest first

    def clear(self) -> None:
        for content in (self.entries, self._due, self._leases, self._groups, self._seen):
            content.clear()

    def is_repeat(self, message: Outgoing, now: float) -> bool:
        """Whether a FIFO queue drops this message; if not, the next one like it is a repeat."""
        if not self._is_fifo:
            return False
        while self._seen and (oldest := next(iter(self._seen))) and self._seen[oldest] <= now:
            del self._seen[oldest]
        key = message.deduplication_id or message.id
        if key in self._seen:
            return True
        self._seen[key] = now + DEDUPLICATION
        return False

    def add(self, entry: _Entry) -> None:
        self.entries[entry.sequence] = entry
        if self._is_fifo:
            group = self._groups.setdefault(_group(entry), deque())
            group.append(entry)
            if len(group) > 1:
                return
        self.schedule(entry, entry.due_at)

    def schedule(self, entry: _Entry, at: float) -> None:
        entry.due_at = at
        heappush(self._due, (at, entry.sequence))

    def next_due(self) -> float:
        return self._due[0][0] if self._due else float("inf")

    def take(self, limit: int, now: float, until: float) -> list[Delivery]:
        """Lease what is due."""
        taken: list[_Entry] = []
        while len(taken) < limit and self.next_due() <= now:
            at, sequence = heappop(self._due)
            entry = self.entries.get(sequence)
            if entry is not None and entry.due_at == at:
                entry.due_at = until
                taken.append(entry)
        return [self._lease(entry) for entry in taken]

    def look(self, limit: int, now: float) -> list[Delivery]:
        """What is ready, unchanged."""
        ready = [entry for entry in self.entries.values() if entry.due_at <= now]
        if not self._is_fifo:
            ready.sort(key=lambda entry: (entry.due_at, entry.sequence))
        return [self._delivery(entry, receipt="") for entry in ready[:limit]]

    def _lease(self, entry: _Entry) -> Delivery:
        self.end_lease(entry)
        self.schedule(entry, entry.due_at)
        entry.receive_count += 1
        entry.lease_count += 1
        entry.receipt = f"{entry.sequence}-{entry.lease_count}"
        self._leases[entry.receipt] = entry
        return self._delivery(entry, entry.receipt)

    def _delivery(self, entry: _Entry, receipt: str) -> Delivery:
        return Delivery(
            queue=self.name,
            id=entry.message.id,
            body=entry.message.body,
            receipt=receipt,
            receive_count=entry.receive_count,
            group=entry.message.group,
            sent_at=entry.sent_at,
            attributes=entry.message.attributes,
            reason=entry.reason,
        )

    def held(self, receipt: str, now: float) -> _Entry | None:
        """What this receipt holds; None where its lease has ended."""
        entry = self._leases.get(receipt)
        return entry if entry is not None and entry.due_at > now else None

    def end_lease(self, entry: _Entry) -> None:
        self._leases.pop(entry.receipt, None)
        entry.receipt = ""

    def remove(self, entry: _Entry) -> None:
        """Take a held message out; the next of its group falls due."""
        self.end_lease(entry)
        del self.entries[entry.sequence]
        if self._is_fifo:
            group = self._groups[_group(entry)]
            group.popleft()
            if group:
                self.schedule(group[0], group[0].due_at)
            else:
                del self._groups[_group(entry)]


def _group(entry: _Entry) -> str:
    return entry.message.group or entry.message.id
