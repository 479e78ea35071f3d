"""Giving up: a copy with the reason goes into the dead-letter queue, and only then the original goes."""

from __future__ import annotations

import dataclasses
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from cloudq.brokers.sqs import reasons
from cloudq.brokers.sqs.copies_taken import CopiesTaken
from cloudq.brokers.sqs.entries import MAX_ATTRIBUTES, MAX_BYTES, TRACE, attribute_bytes, size_bytes
from cloudq.brokers.sqs.send import Sender
from cloudq.brokers.sqs.settle import Settler, settled_in_parts
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, Delivery, NotSent, Outgoing, Reason, Sent, Unknown
from cloudq.errors import BrokerError, QueueNotFoundError
from cloudq.processes import PerProcess
from cloudq.queues import FIFO_SUFFIX, dead_letter_name

__all__ = ["DeadLetters", "dead_letter_of"]

FIRST_DELAY, LONGEST_DELAY = 30.0, 900.0
"""Seconds until a message that the dead-letter queue didn't take comes back: doubled with each receive."""

logger = logging.getLogger(__name__)


class DeadLetters:
    """Moves deliveries to their dead-letter queues.

    Args:
        sender: What sends them there.
        settler: What ends their leases.
        clock: Says when they died.
        declare_again: Makes a queue and its dead-letter queue again, where queues are made; tells whether.
    """

    def __init__(
        self, sender: Sender, settler: Settler, clock: Clock, declare_again: Callable[[str], bool]
    ) -> None:
        self._sender = sender
        self._settler = settler
        self._clock = clock
        self._declare_again = declare_again
        self._taken = PerProcess(lambda: CopiesTaken(clock))

    def move(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        """As `Broker.dead_letter`; what the dead-letter queue doesn't take is given back, never deleted."""
        taken = self._taken.get()
        refused = self._send(dead, [index for index, (one, _) in enumerate(dead) if one not in taken])
        taken.remember(delivery for index, (delivery, _) in enumerate(dead) if index not in refused)
        moved = [index for index in range(len(dead)) if index not in refused]
        return settled_in_parts(
            len(dead),
            [
                (moved, partial(taken.settled, self._settler.ack, [dead[index][0] for index in moved])),
                (list(refused), partial(self._give_back, [(*dead[i], why) for i, why in refused.items()])),
            ],
        )

    def _send(self, dead: Sequence[tuple[Delivery, Reason]], indices: Sequence[int]) -> dict[int, str]:
        """Send these to their dead-letter queues; which weren't surely taken, and why."""
        now = self._clock.now()
        by_queue: dict[str, list[int]] = defaultdict(list)
        for index in indices:
            by_queue[dead[index][0].queue].append(index)
        refused: dict[int, str] = {}
        for queue, members in by_queue.items():
            letters = [dead_letter_of(*dead[index], now) for index in members]
            answers = zip(members, self._send_to(queue, letters), strict=True)
            refused |= {index: answer.why for index, answer in answers if not isinstance(answer, Sent)}
        return refused

    def _send_to(self, queue: str, letters: Sequence[Outgoing]) -> Sequence[Accepted]:
        try:
            return self._send_or_declare(queue, letters)
        except BrokerError as error:
            return [NotSent(str(error))] * len(letters)

    def _send_or_declare(self, queue: str, letters: Sequence[Outgoing]) -> Sequence[Accepted]:
        try:
            return self._sender.send(dead_letter_name(queue), letters)
        except QueueNotFoundError:
            if not self._declare_again(queue):
                raise
            return self._sender.send(dead_letter_name(queue), letters)

    def _give_back(self, refused: Sequence[tuple[Delivery, Reason, str]]) -> list[Answer]:
        answers: list[Answer] = []
        leases: list[tuple[Delivery, float]] = []
        for delivery, reason, why in refused:
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(delivery.receive_count - 1, 16))
            leases.append((delivery, delay))
            answers.append(Unknown(f"not dead-lettered, given back for {delay:.0f} s: {why}"))
            _log(delivery, reason, why, delay)
        self._settler.hide(leases)
        return answers


def dead_letter_of(delivery: Delivery, reason: Reason, now: float) -> Outgoing:
    """What goes into the dead-letter queue: the body unchanged, the reason beside it as far as there is room.

    Args:
        delivery: What is given up on.
        reason: Why.
        now: When (seconds since the epoch).
    """
    reason = dataclasses.replace(
        reason, queue=delivery.queue, receive_count=delivery.receive_count, died_at=round(now, 3)
    )
    group = delivery.group
    if delivery.queue.endswith(FIFO_SUFFIX):
        group = group or delivery.id
    letter = Outgoing(delivery.id, delivery.body, group=group, attributes=_fewer(delivery))
    room = MAX_BYTES - size_bytes(letter) - attribute_bytes(reasons.ATTRIBUTE, "")
    text = reasons.write(reason, min(room, reasons.MAX_BYTES))
    if text is None:
        return letter
    return letter._replace(attributes={**letter.attributes, reasons.ATTRIBUTE: text})


def _fewer(delivery: Delivery) -> dict[str, str]:
    # An eleventh attribute would make SQS refuse the message.
    own = [name for name in delivery.attributes if name != TRACE]
    dropped = own[MAX_ATTRIBUTES - 1 :]
    if dropped:
        logger.warning(
            "a dead letter has room for %d attributes beside its reason: %s dropped",
            MAX_ATTRIBUTES - 1,
            ", ".join(dropped),
            extra={"action": "attributes_dropped", "queue": delivery.queue, "message_id": delivery.id},
        )
    return {name: value for name, value in delivery.attributes.items() if name not in dropped}


def _log(delivery: Delivery, reason: Reason, why: str, delay: float) -> None:
    logger.error(
        "the dead-letter queue %r didn't take a message (%s: %s), it comes back in %.0f s: %s",
        dead_letter_name(delivery.queue),
        reason.code,
        reason.text,
        delay,
        why,
        extra={"action": "dead_letter_refused", "queue": delivery.queue, "message_id": delivery.id},
    )
