"""Ending and changing leases: in batches, an answer for each delivery."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.batches import Answered, Failed, Succeeded, raise_if_out_of_reach, request_batch
from cloudq.brokers.sqs.delays import lease_seconds
from cloudq.brokers.sqs.packing import MAX_ENTRIES
from cloudq.brokers.sqs.receipts import handle_of, received_at
from cloudq.brokers.sqs.transport import Transport
from cloudq.clock import Clock
from cloudq.delivery import Answer, Delivery, Lost, Settled, Unknown
from cloudq.errors import BrokerUnavailableError

__all__ = ["Settler"]

_LOST = {"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"}
"""How SQS says that a lease has ended, or that the message is gone. Source: SQS API Reference,
ChangeMessageVisibility and DeleteMessage, errors, read 2026-11."""


class Settler:
    """Deletes messages and moves the ends of their leases.

    Args:
        transport: What carries the requests.
        addresses: Where the queues are.
        clock: What measures.
    """

    def __init__(self, transport: Transport, addresses: Addresses, clock: Clock) -> None:
        self._transport = transport
        self._addresses = addresses
        self._clock = clock

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        """As `Broker.ack`."""
        return self._each("DeleteMessageBatch", [(delivery, {}) for delivery in deliveries])

    def hide(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        """Let leases end so many seconds from now: what extends them, and what gives messages back."""
        now = self._clock.now()
        seconds = [
            lease_seconds(lease, received_at=received_at(delivery.receipt), now=now)
            for delivery, lease in leases
        ]
        living = [
            (delivery, {"VisibilityTimeout": until})
            for (delivery, _), until in zip(leases, seconds, strict=True)
            if until is not None
        ]
        answers = iter(self._each("ChangeMessageVisibilityBatch", living))
        return [Lost() if until is None else next(answers) for until in seconds]

    def _each(self, operation: str, items: Sequence[tuple[Delivery, Mapping[str, Any]]]) -> list[Answer]:
        answered: dict[int, Answered] = {}
        for queue, indices in _by_queue(items).items():
            url = self._addresses.of(queue)
            for start in range(0, len(indices), MAX_ENTRIES):
                batch = indices[start : start + MAX_ENTRIES]
                entries = [
                    {"ReceiptHandle": handle_of(items[index][0].receipt), **items[index][1]}
                    for index in batch
                ]
                answers = request_batch(self._transport, self._clock, operation, url, entries)
                answered.update(zip(batch, answers, strict=True))
        raise_if_out_of_reach(list(answered.values()))
        return [_answer(answered[index]) for index in range(len(items))]


def _by_queue(items: Sequence[tuple[Delivery, object]]) -> Mapping[str, list[int]]:
    indices: dict[str, list[int]] = defaultdict(list)
    for index, (delivery, _) in enumerate(items):
        indices[delivery.queue].append(index)
    return indices


def _answer(answered: Answered) -> Answer:
    match answered:
        case Succeeded():
            return Settled()
        case Failed(code, text, _) if code in _LOST and "VisibilityTimeout" not in text:
            return Lost()
        case Failed(code, text, _):
            return Unknown(f"{code}: {text}")
        case BrokerUnavailableError():
            return Unknown(str(answered))
