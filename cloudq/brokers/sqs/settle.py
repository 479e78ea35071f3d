"""Ending and changing leases: in batches, an answer for each delivery."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.batches import Answered, Failed, Succeeded, raise_if_out_of_reach, request_batch
from cloudq.brokers.sqs.delays import lease_seconds
from cloudq.brokers.sqs.packing import MAX_ENTRIES
from cloudq.brokers.sqs.receipts import handle_of, received_at
from cloudq.brokers.sqs.transport import Transport
from cloudq.clock import Clock
from cloudq.delivery import Answer, Delivery, Lost, Settled, Unknown
from cloudq.errors import BrokerError, BrokerUnavailableError, ConfigurationError

__all__ = ["Part", "Settler", "settled_in_parts"]

_LOST = {"ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"}
"""How SQS says that a lease has ended, or that the message is gone. Source: SQS API Reference,
ChangeMessageVisibility and DeleteMessage, errors, read 2026-11."""

Part = tuple[Sequence[int], Callable[[], Sequence[Answer]]]
"""Where the answers of one part of a call stand among all of its answers, and what brings them."""


def settled_in_parts(count: int, parts: Sequence[Part]) -> list[Answer]:
    """Settle each part whatever becomes of the others: where one fails, its own answers are `Unknown`.

    Args:
        count: Of answers.
        parts: Each index is in one of them.

    Raises:
        BrokerError: Every part failed; what the first failed with.
    """
    answers: list[Answer] = [Unknown("")] * count
    tried = [(indices, _tried(call)) for indices, call in parts if indices]
    failures = [given for _, given in tried if isinstance(given, BrokerError)]
    if failures and len(failures) == len(tried):
        raise failures[0]
    for indices, given in tried:
        said = [Unknown(str(given))] * len(indices) if isinstance(given, BrokerError) else given
        for index, answer in zip(indices, said, strict=True):
            answers[index] = answer
    return answers


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

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        """As `Broker.extend`.

        Raises:
            ConfigurationError: A lease is NaN; taken for no time, it would give away what somebody works on.
        """
        if any(math.isnan(lease) for _, lease in leases):
            raise ConfigurationError("A lease of nan seconds can't be: give a number, or infinity.")
        return self.hide(leases)

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
        parts: list[Part] = []
        for queue, indices in _by_queue(items).items():
            entries = [
                {"ReceiptHandle": handle_of(items[index][0].receipt), **items[index][1]} for index in indices
            ]
            parts.append((indices, partial(self._of_queue, operation, queue, entries)))
        return settled_in_parts(len(items), parts)

    def _of_queue(self, operation: str, queue: str, entries: Sequence[Mapping[str, Any]]) -> list[Answer]:
        url = self._addresses.of(queue)
        answered: list[Answered] = []
        for start in range(0, len(entries), MAX_ENTRIES):
            batch = entries[start : start + MAX_ENTRIES]
            answered += request_batch(partial(self._request, operation, url), self._clock, operation, batch)
        raise_if_out_of_reach(answered)
        return [_answer(one) for one in answered]

    def _request(self, operation: str, url: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return self._transport.call(operation, QueueUrl=url, Entries=entries)


def _tried(call: Callable[[], Sequence[Answer]]) -> Sequence[Answer] | BrokerError:
    try:
        return call()
    except BrokerError as error:
        return error


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
