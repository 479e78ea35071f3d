"""What passes between a broker and its users, and what an execution decides.

| value | what it is |
|---|---|
| `Outgoing` | a message on its way into a queue |
| `Sent`, `NotSent`, `Unknown` | what became of it |
| `Delivery` | one receipt of a message |
| `Release`, `Reason` | how a delivery is given back, why it is dead-lettered |
| `Settled`, `Lost`, `Unknown` | what became of a settlement or an extension |
| `Done`, `RetryLater`, `Dead`, `Requeue`, `Ignored` | what a run decided |
| `Execution` | one run of a message, with its outcome |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = [
    "Accepted",
    "Answer",
    "Dead",
    "Delivery",
    "Done",
    "Execution",
    "FollowUp",
    "Ignored",
    "Lost",
    "NotSent",
    "Outcome",
    "Outgoing",
    "Reason",
    "Release",
    "Requeue",
    "RetryLater",
    "Sent",
    "Settled",
    "Unknown",
]


_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Outgoing(NamedTuple):
    """A message on its way into a queue.

    Args:
        id: The message's id.
        body: What travels, UTF-8.
        delay: Seconds before it can be received.
        group: FIFO and fairness key.
        deduplication_id: FIFO key under which a repeat is dropped; the id where it is None.
        attributes: Short strings that travel beside the body.
    """

    id: str
    body: bytes
    delay: float = 0.0
    group: str | None = None
    deduplication_id: str | None = None
    attributes: Mapping[str, str] = _NO_ATTRIBUTES


@dataclass(frozen=True, slots=True)
class Sent:
    """The broker has it."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The broker doesn't have it.

    Args:
        why: What the broker said.
        retryable: Whether the same call may succeed later.
    """

    why: str
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost: it may have happened."""

    why: str


Accepted = Sent | NotSent | Unknown


class Delivery(NamedTuple):
    """One receipt of a message. A tuple, which is made in a third of a frozen dataclass's time.

    Args:
        queue: Where it was received.
        id: The broker's id for it, for logs; the message's own id stands in its body.
        body: The body as it came: perhaps no message at all.
        receipt: Opaque proof of the lease; changes at each receive.
        receive_count: Deliveries so far, this one included.
        group: FIFO and fairness key.
        sent_at: When the broker took it in (seconds since the epoch); None where it doesn't say.
        attributes: Short strings that travel beside the body.
        reason: Why it was dead-lettered, where the queue is a dead-letter queue.
    """

    queue: str
    id: str
    body: bytes
    receipt: str
    receive_count: int
    group: str | None = None
    sent_at: float | None = None
    attributes: Mapping[str, str] = _NO_ATTRIBUTES
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A delivery to be given back.

    Args:
        delivery: Which.
        delay: Seconds until it can be received again.
        body: The message with its count of failures raised; None leaves it as it is. A broker that can't
            rewrite a message (`Limits.rewrites_on_release`) may have to do without.
        is_counted: False gives it back as though it had not been received: the receive count is one lower,
            where the broker can (`Limits.rewrites_on_release`).
    """

    delivery: Delivery
    delay: float = 0.0
    body: bytes | None = None
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a message is dead-lettered, for the person who finds it.

    Args:
        code: One word for machines: `failed`, `rejected`, `poison`, `bad_body`, `bad_arguments`,
            `bad_result`, `unknown_task`, `unknown_version`.
        text: One sentence for people: what happened.
        error: The type and text of what the task raised, where it raised.
        traceback: Its traceback, as text.
        queue: Where it came from; the broker fills it in.
        failures: Attempts that failed.
        receive_count: Deliveries it had; the broker fills it in.
        died_at: When (seconds since the epoch); the broker fills it in.
    """

    code: str
    text: str
    error: str = ""
    traceback: str = ""
    queue: str = ""
    failures: int = 0
    receive_count: int = 0
    died_at: float | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The lease was ours, and what was asked is done."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The lease wasn't ours any more; nothing was done."""


Answer = Settled | Lost | Unknown


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A message that an outcome sets off: the next link of a chain, a chord's body."""

    queue: str
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Done:
    """It ran. Its result is kept, what follows is sent, the delivery is acked.

    Args:
        result: The return value, as a JSON value.
        follow_ups: What it sets off.
    """

    result: Any = None
    follow_ups: tuple[FollowUp, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryLater:
    """It failed and is tried again: the delivery is released, counted.

    Args:
        delay: Seconds until then.
        failures: Attempts that have failed by now, this one included.
        error: The type and text of what it raised.
        traceback: Its traceback, as text.
        body: The message with its count of failures raised.
    """

    delay: float
    failures: int
    error: str = ""
    traceback: str = ""
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """It can't succeed: the delivery is dead-lettered."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Requeue:
    """Not now: the delivery is released, uncounted.

    Args:
        delay: Seconds until it can be received again.
        why: What it waits for, for the log.
        body: What to leave in its place where the broker must send a copy; None leaves it as it is.
        is_counted: Whether the receive counts towards the queue's `max_receives`; see `Release`.
    """

    delay: float = 0.0
    why: str = ""
    body: bytes | None = None
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class Ignored:
    """It needs no run: the delivery is acked, no result is written.

    Args:
        why: For the log.
        is_revoked: Whether callers are told that it was revoked.
    """

    why: str = ""
    is_revoked: bool = False


Outcome = Done | RetryLater | Dead | Requeue | Ignored


class Execution(NamedTuple):
    """One run of a message for one delivery; (id, generation, attempt) is its fence. A tuple, for speed.

    Args:
        outcome: What it decided.
        id: The message's id; empty where the body couldn't be read.
        task: The task's name; empty where the body couldn't be read.
        generation: The message's generation.
        attempt: Failures before it, and one.
        seconds: How long the function ran.
    """

    outcome: Outcome
    id: str = ""
    task: str = ""
    generation: int = 0
    attempt: int = 1
    seconds: float = 0.0
