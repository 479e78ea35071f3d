"""One dead letter, and which ones are meant. Pure."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from cloudq.codec import decode, encode
from cloudq.delivery import Delivery, Outgoing, Reason
from cloudq.errors import DecodeError
from cloudq.message import Message, derived_id
from cloudq.queues import source_name

__all__ = ["Chosen", "DeadLetter", "put_back"]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message in a dead-letter queue.

    Args:
        delivery: It, as received or looked at.
        message: What its body says; None where that is no message that can be read.
    """

    delivery: Delivery
    message: Message | None

    @classmethod
    def of(cls, delivery: Delivery) -> DeadLetter:
        try:
            message = decode(delivery.body)
        except DecodeError:
            return cls(delivery, None)
        # As it ran, of a copy of what was published.
        return cls(delivery, message.received_from(_source(delivery)))

    @property
    def id(self) -> str:
        """The message's id; the broker's where the body has none."""
        return self.message.id if self.message else self.delivery.id

    @property
    def task(self) -> str:
        """The task's name; empty where the body has none."""
        return self.message.task if self.message else ""

    @property
    def reason(self) -> Reason:
        """Why it is here; without a code where nobody said."""
        return self.delivery.reason or Reason("", "Nobody said why.")

    @property
    def source(self) -> str:
        """The queue that it came from."""
        return _source(self.delivery)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which dead letters are meant: those that fit all that is said here.

    Args:
        task: The task's name, or a glob; None for any, and for bodies that are no messages.
        reason: The reason's code.
        ids: Some of them by their ids; empty for any.
        since: Those that died at this time (seconds since the epoch) or later; those that don't say when
            died before.
    """

    task: str | None = None
    reason: str | None = None
    ids: frozenset[str] = frozenset()
    since: float | None = None

    def has(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is one of them."""
        return (
            (self.task is None or bool(letter.task and fnmatch.fnmatchcase(letter.task, self.task)))
            and (self.reason is None or letter.reason.code == self.reason)
            and (not self.ids or letter.id in self.ids)
            and (self.since is None or (letter.reason.died_at or 0.0) >= self.since)
        )

    @property
    def is_everything(self) -> bool:
        return self == Chosen()


def put_back(letter: DeadLetter) -> Outgoing:
    """What is sent in a dead letter's place."""
    delivery, message = letter.delivery, letter.message
    body = delivery.body
    generation = 0
    if message is not None:
        generation = message.generation + 1
        body = encode(message._replace(generation=generation, retries=0))
    # A FIFO queue drops what it has seen in the last five minutes: this letter's first life must not count,
    # but a redrive that was interrupted between its two steps, and is made again, shall.
    death = delivery.reason.died_at if delivery.reason else delivery.sent_at
    return Outgoing(
        id=letter.id,
        body=body,
        group=delivery.group,
        deduplication_id=derived_id(letter.id, generation, repr(death)),
        attributes=delivery.attributes,
    )


def _source(delivery: Delivery) -> str:
    return source_name(delivery.queue, delivery.reason.queue if delivery.reason else "")
