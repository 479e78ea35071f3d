"""The seam between cloudq and what holds its queues: the lease, the one thing that all of them have.

A broker passes `cloudq.testing.BrokerContract`; the sentences here are that suite's tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloudq.delivery import Accepted, Answer, Delivery, Outgoing, Reason, Release
from cloudq.queues import Queue

__all__ = ["DEDUPLICATION", "Broker", "Inspector", "Limits", "QueueStats"]

DEDUPLICATION = 300.0
"""Seconds for which a FIFO queue drops repeats. Source: SQS Developer Guide, exactly-once, read 2026-11."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a broker can and can't do.

    Args:
        max_delay: The longest delay it holds by itself, in seconds; None for any.
        max_body_bytes: The largest body; None for any.
        max_lease: The longest lease, in seconds; None for any.
        max_receive: How many messages one receive can bring.
        max_wait: The longest wait of one receive, in seconds; None for any.
        ordered_groups: Whether FIFO queues keep the order within a group.
        detects_lost_ack: Whether settling or extending a lapsed lease is reported as `Lost`, not accepted.
        answers_acks: Whether acks are answered, once they are as durable as the broker makes them. Where they
            aren't, `Settled` says that one was sent, and a broker that dies may bring its message again.
        rewrites_on_release: Whether `release` can put another body in place of the message's.
        any_bytes: Whether a body may be any bytes; else it is text, of the characters that XML 1.0 allows.
        is_shared: Whether other processes see the same queues.
        peeks_unseen: Whether `peek` leaves no trace; else it receives and gives back, and that is counted.
        paid_batch: How many messages one request carries, where each request is paid for: workers wait a
            moment to fill them. None where it costs nothing.
        topics: Whether queues can subscribe to topics.
        exchanges: Whether queues can be bound to AMQP exchanges.
        max_topic_delay: The longest delay of a published message, in seconds; None for any.
        max_topic_body_bytes: The largest body of a published message; None for any.
    """

    max_delay: float | None = None
    max_body_bytes: int | None = None
    max_lease: float | None = None
    max_receive: int = 1000
    max_wait: float | None = None
    ordered_groups: bool = True
    detects_lost_ack: bool = True
    answers_acks: bool = True
    rewrites_on_release: bool = True
    any_bytes: bool = True
    is_shared: bool = True
    peeks_unseen: bool = True
    paid_batch: int | None = None
    topics: bool = True
    exchanges: bool = False
    max_topic_delay: float | None = None
    max_topic_body_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class QueueStats:
    """A queue's counts; on SQS they are approximate.

    Args:
        ready: Messages that wait for a receive; those behind a leased one of their FIFO group included.
        leased: Messages under a lease.
        delayed: Messages whose delay isn't over.
        dead: Messages in its dead-letter queue.
        oldest_age: Seconds since the oldest ready message was sent; None where there is none or the broker
            doesn't say.
    """

    ready: int
    leased: int
    delayed: int
    dead: int
    oldest_age: float | None = None

    @classmethod
    def whole(cls, levels: Iterable[QueueStats]) -> QueueStats:
        """The counts of a queue, of those of its levels of priority, which share one dead-letter queue."""
        levels = list(levels)
        return cls(
            ready=sum(level.ready for level in levels),
            leased=sum(level.leased for level in levels),
            delayed=sum(level.delayed for level in levels),
            dead=max(level.dead for level in levels),
            oldest_age=max((one.oldest_age for one in levels if one.oldest_age is not None), default=None),
        )


class Broker(Protocol):
    """What holds queues. Thread-safe; batch first; repeats nothing by itself beyond its client library.

    Every method raises `BrokerUnavailableError` when the broker can't be reached and `QueueNotFoundError` for
    a queue that it doesn't have; no driver's exception crosses it. Answers stand in the order of what was
    passed in.
    """

    @property
    def limits(self) -> Limits:
        """What this broker can and can't do."""
        ...

    def declare(self, queue: Queue) -> None:
        """Make a queue, its dead-letter queue and its subscriptions unless they are there.

        Repeating it changes nothing, and ends no subscription: an older program, which knows fewer, may run
        beside a newer one.

        Raises:
            UnsupportedError: It is FIFO, or has topics, and the broker knows no such thing.
        """
        ...

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        """Put messages into a queue: an answer per message, never all or nothing.

        When it answers `Sent`, the message is as durable as the broker makes it. A FIFO queue answers `Sent`
        to a repeat within five minutes, too, and drops it.

        Raises:
            MessageTooLargeError: A message is over the limit; none was sent.
        """
        ...

    def publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        """Put a copy of each message into every queue that subscribes to a topic, as `send` would.

        A topic that nobody subscribes to takes messages and drops them. `NotSent` answers where no queue got
        its copy, `Unknown` where some may have.

        Raises:
            MessageTooLargeError: A message is over the limit; none was published.
            QueueNotFoundError: What leads to the subscribers was deleted; none was published.
            UnsupportedError: The broker has no topics.
        """
        ...

    def receive(self, queues: Sequence[str], *, limit: int, lease: float, wait: float) -> list[Delivery]:
        """Take messages out under a lease, the first queue's first.

        No other receive brings them until the lease ends; then they return by themselves, with their receive
        count raised. A FIFO group of which a message is leased, or given back with a delay, brings no more.
        After `close` it brings nothing.

        Args:
            queues: In order of preference.
            limit: At most this many; the broker may bring fewer.
            lease: Seconds until they return.
            wait: Seconds to wait for the first message at most; 0 only looks.
        """
        ...

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        """Delete what is done with. A message that somebody else holds by now is left alone.

        Here and in the other three, `Lost` answers for a lease that has ended, whoever has the message now.
        """
        ...

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        """Let leases end so many seconds from now."""
        ...

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        """Give deliveries back, to be received again after their delay.

        Keeps id and receive count (or, of an uncounted release, the count before this receive), and what
        stood behind them in their FIFO group stays behind them. Where the broker can't rewrite, a receive
        counts in any case, and a new body may travel as a copy, which counts anew.
        """
        ...

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        """Move deliveries to their queue's dead-letter queue, body unchanged, with the reason.

        It is a queue like any other; what is received from it bears the reason and counts its receives anew.
        """
        ...

    def stats(self, queue: str) -> QueueStats:
        """Count a queue's messages."""
        ...

    def close(self) -> None:
        """Let go of connections; a `receive` that waits returns at once, empty."""
        ...


class Inspector(Protocol):
    """Looking into queues: apart from `Broker`, so that a broker's hot path stays on one page."""

    def queues(self) -> list[str]:
        """The names of the queues that there are, dead-letter queues included."""
        ...

    def peek(self, queue: str, limit: int) -> list[Delivery]:
        """Look at the messages that are ready, in about the order in which they would be received.

        They stay where they are, for others to receive. Their receipts are empty, so that nothing can be
        settled with them, and their receive counts are those of the past. Where the broker can't look
        (`Limits.peeks_unseen`), it receives them under a short lease and gives them back: others don't see
        them meanwhile, the look may count as a receive, and it may bring fewer.

        Args:
            queue: Where; a dead-letter queue is a queue like any other.
            limit: At most this many.
        """
        ...

    def purge(self, queue: str) -> None:
        """Delete all messages of a queue, leased ones included."""
        ...
