"""Giving back: under the lease while the delay is short, as a copy while it is long."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

from cloudq.brokers.sqs.delays import copies
from cloudq.brokers.sqs.send import Sender
from cloudq.brokers.sqs.settle import Settler
from cloudq.delivery import Accepted, Answer, NotSent, Outgoing, Release, Sent
from cloudq.errors import BrokerError
from cloudq.queues import FIFO_SUFFIX

__all__ = ["Releaser"]

logger = logging.getLogger(__name__)


class Releaser:
    """Gives deliveries back after their delay.

    Args:
        sender: What sends copies.
        settler: What ends leases.
    """

    def __init__(self, sender: Sender, settler: Settler) -> None:
        self._sender = sender
        self._settler = settler

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        """As `Broker.release`."""
        copied = self._copy([index for index, release in enumerate(releases) if _copies(release)], releases)
        kept = [index for index in range(len(releases)) if index not in copied]
        answers: dict[int, Answer] = {}
        deletions = self._settler.ack([releases[index].delivery for index in copied])
        answers.update(zip(copied, deletions, strict=True))
        hidden = self._settler.hide([(releases[index].delivery, releases[index].delay) for index in kept])
        answers.update(zip(kept, hidden, strict=True))
        return [answers[index] for index in range(len(releases))]

    def _copy(self, indices: Sequence[int], releases: Sequence[Release]) -> list[int]:
        """Send copies; which of them were surely accepted, so that their originals may go."""
        by_queue: dict[str, list[int]] = defaultdict(list)
        for index in indices:
            by_queue[releases[index].delivery.queue].append(index)
        accepted: list[int] = []
        for queue, members in by_queue.items():
            answers = self._send(queue, [_copy_of(releases[index]) for index in members])
            for index, answer in zip(members, answers, strict=True):
                if isinstance(answer, Sent):
                    accepted.append(index)
        return accepted

    def _send(self, queue: str, copies: Sequence[Outgoing]) -> Sequence[Accepted]:
        try:
            return self._sender.send(queue, copies)
        except BrokerError as error:
            # The originals are hidden instead, which needs no room for a copy.
            logger.warning(
                "delayed copies weren't taken: %s", error, extra={"action": "copy_refused", "queue": queue}
            )
            return [NotSent(str(error))] * len(copies)


def _copies(release: Release) -> bool:
    is_fifo = release.delivery.queue.endswith(FIFO_SUFFIX)
    return copies(release.delay, is_fifo=is_fifo, has_body=release.body is not None)


def _copy_of(release: Release) -> Outgoing:
    delivery = release.delivery
    return Outgoing(
        delivery.id,
        release.body if release.body is not None else delivery.body,
        release.delay,
        delivery.group,
        attributes=delivery.attributes,
    )
