"""ReceiveMessage: lease messages, waiting for the first if need be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.call import IDENTIFIER, integer
from cloudq_emulator.sqs.engine import attributes
from cloudq_emulator.sqs.refusals import (
    INVALID_ATTEMPT,
    LEASE_RANGE,
    RECEIVE_RANGE,
    TOO_MANY_IN_FLIGHT,
    UNKNOWN_ATTRIBUTE,
    WAIT_RANGE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.engine.queue import Queue

_SENDER_PREFIX: Final = "AIDA"
_SYSTEM: Final[dict[str, Callable[[Message], str]]] = {
    "SenderId": lambda message: f"{_SENDER_PREFIX}CLOUDQ{message.sender[:11]}",
    "ApproximateFirstReceiveTimestamp": lambda message: str(int((message.first_received_at or 0) * 1000)),
    "ApproximateReceiveCount": lambda message: str(message.receive_count),
    "SentTimestamp": lambda message: str(int(message.sent_at * 1000)),
    "SequenceNumber": lambda message: message.sequence,
    "MessageDeduplicationId": lambda message: message.deduplication,
    "MessageGroupId": lambda message: message.group,
    "AWSTraceHeader": lambda message: message.trace,
    "DeadLetterQueueSourceArn": lambda message: message.dead_letter_source,
}


@dataclass(frozen=True, slots=True)
class Reception:
    """A receive, to be tried now and, with a wait, again whenever there may be something.

    Args:
        queue: The queue.
        limit: How many messages at most.
        lease: For how long, in seconds.
        wait: Seconds to wait for the first message.
        system_names: System attributes that were asked for.
        names: Message attributes that were asked for.
        attempt_id: The id by which it may be repeated.
    """

    queue: Queue
    limit: int
    lease: int
    wait: int
    system_names: Sequence[str]
    names: Sequence[str]
    attempt_id: str = ""

    def attempt(self, now: float) -> dict[str, Any]:
        """Receive what there is; an empty answer if there is nothing."""
        received = self.queue.receive(self.limit, self.lease, now, self.attempt_id)
        return (
            {"Messages": [self._shown(message, handle) for message, handle in received]} if received else {}
        )

    def _shown(self, message: Message, handle: str) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "MessageId": message.id,
            "ReceiptHandle": handle,
            "MD5OfBody": message.body_md5,
            "Body": message.body,
        }
        if self.system_names:
            values = ((name, _SYSTEM[name](message)) for name in self.system_names)
            shown["Attributes"] = {name: value for name, value in values if value}
        if message.attributes and self.names:
            _show_attributes(shown, message, attributes.select(message.attributes, self.names))
        return shown


def receive_message(call: Call) -> dict[str, Any] | Reception:
    """Answer messages; where there are none and the caller waits, what to wait for."""
    reception = _read(call, call.queue())
    queue = reception.queue
    if queue.leased_count >= queue.in_flight_limit and not queue.settings.is_fifo:
        raise TOO_MANY_IN_FLIGHT.error()
    answer = reception.attempt(call.now)
    return answer if answer or not reception.wait else reception


def _read(call: Call, queue: Queue) -> Reception:
    params, settings = call.params, queue.settings
    limit = integer(params, "MaxNumberOfMessages", (1, limits.RECEIVE), RECEIVE_RANGE)
    wait = integer(params, "WaitTimeSeconds", (0, limits.WAIT), WAIT_RANGE)
    lease = integer(params, "VisibilityTimeout", (0, limits.LEASE), LEASE_RANGE)
    return Reception(
        queue,
        limit or 1,
        settings.lease if lease is None else lease,
        settings.wait if wait is None else wait,
        _system_names(params.get("AttributeNames") or (), params.get("MessageSystemAttributeNames") or ()),
        params.get("MessageAttributeNames") or (),
        _attempt(queue, params.get("ReceiveRequestAttemptId")),
    )


def _attempt(queue: Queue, attempt: str | None) -> str:
    # It "applies only to FIFO queues" (API, ReceiveMessage); others don't complain of it, AWS's included.
    # Source: github.com/awspring/spring-cloud-aws/issues/529, read 2026-11.
    if attempt is None or not queue.settings.is_fifo:
        return ""
    if not IDENTIFIER.fullmatch(attempt):
        raise INVALID_ATTEMPT.error(value=attempt)
    return attempt


def _system_names(*lists: Sequence[str]) -> Sequence[str]:
    wanted = [name for names in lists for name in names]
    if "All" in wanted:
        return tuple(_SYSTEM)
    for name in wanted:
        if name not in _SYSTEM:
            raise UNKNOWN_ATTRIBUTE.error(name=name)
    return wanted


def _show_attributes(shown: dict[str, Any], message: Message, chosen: attributes.Attributes) -> None:
    if chosen:
        # The digest is over what is returned, so that a client can compare it.
        is_all = len(chosen) == len(message.attributes or ())
        shown["MD5OfMessageAttributes"] = message.attributes_md5 if is_all else attributes.digest(chosen)
        shown["MessageAttributes"] = chosen
