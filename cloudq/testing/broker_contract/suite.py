"""The fixtures and steps that the suite's parts share."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import ClassVar, Protocol

import pytest

from cloudq.brokers.base import Broker, Inspector
from cloudq.delivery import Accepted, Delivery, Outgoing, Sent
from cloudq.queues import Queue
from cloudq.testing.steps import until

__all__ = ["Suite", "TestedBroker", "outgoing", "send", "take"]


class TestedBroker(Broker, Inspector, Protocol):
    """A broker whose queues can be looked into."""

    __test__ = False


class Suite:
    """What a part of the suite is a class of."""

    lease: ClassVar[float] = 30.0
    """Seconds for which the tests lease what they receive."""

    @pytest.fixture
    def queue(self, broker: TestedBroker) -> Queue:
        """A queue of the test's own."""
        queue = Queue(f"contract-{uuid.uuid4().hex[:12]}", lease=max(1.0, self.lease))
        broker.declare(queue)
        return queue

    def look(self, broker: TestedBroker, queue: Queue, *, limit: int = 10) -> list[Delivery]:
        """Receive what is there, without waiting."""
        return broker.receive([queue.name], limit=limit, lease=self.lease, wait=0)

    def take_one(self, broker: TestedBroker, queue: Queue) -> Delivery:
        """Receive one message."""
        (delivery,) = take(broker, queue.name, 1, lease=self.lease)
        return delivery


def outgoing(
    body: bytes = b"{}",
    *,
    delay: float = 0.0,
    group: str | None = None,
    deduplication_id: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Outgoing:
    """A message with an id of its own."""
    return Outgoing(str(uuid.uuid4()), body, delay, group, deduplication_id, attributes or {})


def send(broker: TestedBroker, queue: Queue, *messages: Outgoing) -> None:
    """Send what must be accepted."""
    expected: list[Accepted] = [Sent() for _ in messages]
    assert broker.send(queue.name, messages) == expected


def take(broker: TestedBroker, queue: str, count: int, *, lease: float) -> list[Delivery]:
    """Receive exactly so many messages, in as many receives as it takes."""
    taken: list[Delivery] = []

    def has_taken() -> bool:
        found = broker.receive([queue], limit=min(10, count - len(taken)), lease=lease, wait=0)
        taken.extend(found)
        return len(taken) >= count

    until(has_taken, f"{count} messages from {queue!r}")
    return taken
