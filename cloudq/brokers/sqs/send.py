"""Sending: in batches, an answer for each message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.batches import Answered, Failed, Succeeded, raise_if_out_of_reach, request_batch
from cloudq.brokers.sqs.commit import GroupCommit
from cloudq.brokers.sqs.entries import MAX_BYTES, Entry, entry_of, refusal, size_bytes
from cloudq.brokers.sqs.transport import AnswerLostError, Transport
from cloudq.clock import Clock
from cloudq.delivery import Accepted, NotSent, Outgoing, Sent, Unknown
from cloudq.errors import BrokerUnavailableError, MessageTooLargeError
from cloudq.processes import PerProcess

__all__ = ["Sender", "submit"]


class Sender:
    """Puts messages into queues.

    Args:
        transport: What carries the requests.
        addresses: Where the queues are.
        clock: What measures pauses.
    """

    def __init__(self, transport: Transport, addresses: Addresses, clock: Clock) -> None:
        self._transport = transport
        self._addresses = addresses
        self._clock = clock
        self._commits = PerProcess(dict[str, GroupCommit])

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        """As `Broker.send`."""
        _check_sizes(queue, messages)
        return submit(queue, messages, self._commit(queue), entry_of) if messages else []

    def _commit(self, queue: str) -> GroupCommit:
        url = self._addresses.of(queue)  # here, so that a missing queue is told to each caller by itself
        commits = self._commits.get()
        if queue not in commits:
            commits.setdefault(queue, GroupCommit(lambda entries: self._send_batch(url, entries)))
        return commits[queue]

    def _send_batch(self, url: str, entries: list[Entry]) -> list[Answered]:
        def request(named: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
            return self._transport.call("SendMessageBatch", QueueUrl=url, Entries=named)

        return request_batch(request, self._clock, "SendMessageBatch", [entry.fields for entry in entries])


def submit(
    name: str,
    messages: Sequence[Outgoing],
    commit: GroupCommit,
    entry: Callable[[str, Outgoing], Entry],
) -> list[Accepted]:
    """Send what AWS would take, all but what it would refuse for itself; an answer for each message.

    Args:
        name: The queue's or the topic's.
        messages: What is sent.
        commit: What sends it, with what others send at the same time.
        entry: What a request says of a message.
    """
    refusals = [refusal(name, message) for message in messages]
    answers = commit.submit(
        [entry(name, message) for message, why in zip(messages, refusals, strict=True) if why is None]
    )
    raise_if_out_of_reach(answers)
    told = map(_accepted, answers)
    return [next(told) if why is None else NotSent(why, retryable=False) for why in refusals]


def _check_sizes(queue: str, messages: Sequence[Outgoing]) -> None:
    for message in messages:
        size = size_bytes(message)
        if size > MAX_BYTES:
            raise MessageTooLargeError(
                f"Message {message.id} for queue {queue!r} has {size:,} bytes, attributes included; SQS "
                f"takes {MAX_BYTES:,}. Send a reference to the data, or set claim_checks.",
                queue=queue,
                size_bytes=size,
                limit_bytes=MAX_BYTES,
            )


def _accepted(answer: Answered) -> Accepted:
    """What became of one message, of what became of its entry."""
    match answer:
        case Succeeded():
            return Sent()
        case Failed(code, text, is_ours):
            return NotSent(f"{code}: {text}", retryable=not is_ours)
        case AnswerLostError():
            return Unknown(str(answer))
        case BrokerUnavailableError():
            return NotSent(str(answer))
