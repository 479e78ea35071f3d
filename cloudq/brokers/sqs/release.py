"""Giving back: under the lease while the delay is short, as a copy while it is long."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from cloudq.brokers.sqs.copies_taken import CopiesTaken
from cloudq.brokers.sqs.delays import copies
from cloudq.brokers.sqs.send import Sender
from cloudq.brokers.sqs.settle import Settler, settled_in_parts
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, NotSent, Outgoing, Release, Sent
from cloudq.errors import BrokerError
from cloudq.processes import PerProcess
from cloudq.queues import FIFO_SUFFIX

__all__ = ["Releaser"]

logger = logging.getLogger(__name__)


class Releaser:
    """Gives deliveries back after their delay.

    Args:
        sender: What sends copies.
        settler: What ends leases.
        clock: What measures.
    """

    def __init__(self, sender: Sender, settler: Settler, clock: Clock) -> None:
        self._sender = sender
        self._settler = settler
        self._taken = PerProcess(lambda: CopiesTaken(clock))

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        """As `Broker.release`."""
        taken = self._taken.get()
        self._copy([one for one in releases if _copies(one) and one.delivery not in taken], taken)
        copied: list[int] = []
        kept: list[int] = []
        for index, release in enumerate(releases):
            (copied if release.delivery in taken else kept).append(index)
        originals = [releases[index].delivery for index in copied]
        hidden = [(releases[index].delivery, releases[index].delay) for index in kept]
        return settled_in_parts(
            len(releases),
            [
                (copied, partial(taken.settled, self._settler.ack, originals)),
                (kept, partial(self._settler.hide, hidden)),
            ],
        )

    def _copy(self, releases: Sequence[Release], taken: CopiesTaken) -> None:
        """Send copies, and remember which were surely accepted, so that their originals may go."""
        by_queue: dict[str, list[Release]] = defaultdict(list)
        for release in releases:
            by_queue[release.delivery.queue].append(release)
        for queue, members in by_queue.items():
            answers = self._send(queue, [_copy_of(release) for release in members])
            accepted = zip(members, answers, strict=True)
            taken.remember(release.delivery for release, answer in accepted if isinstance(answer, Sent))

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
