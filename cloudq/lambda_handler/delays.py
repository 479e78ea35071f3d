"""What goes back to the queue: collected while the batch runs, told to the broker once.

A record that is only reported as failed stays invisible until its queue's visibility timeout is over, six
function timeouts as AWS advises: far longer than most backoffs.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence

from cloudq.app import App
from cloudq.delivery import Accepted, Answer, Delivery, Outgoing, Reason, Release, Settled
from cloudq.errors import CloudqError

__all__ = ["LONGEST_DELAY", "BatchBroker"]

logger = logging.getLogger(__name__)

LONGEST_DELAY = 43_200.0 - 900.0 - 300.0 - 60.0
"""Seconds. Twelve hours after a receive a lease ends for good, and to ask for more is an error. The record
was received at most a batching window and a function's longest run ago; a minute is for clocks that disagree.
Source: SQS API Reference, ChangeMessageVisibility; Lambda quotas, read 2026-11."""


class BatchBroker:
    """One batch's way to settle: Lambda itself deletes what isn't reported.

    Args:
        app: Whose broker gives back, dead-letters and sends; asked for only when there is something to do.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._releases: dict[str, Release] = {}

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        """Send what follows, at once: the ack waits for it."""
        return self._app.broker.send(queue, messages)

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        """Nothing to do."""
        return [Settled() for _ in deliveries]

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        """Collect; `flush` does it."""
        for release in releases:
            self._releases[release.delivery.receipt] = release
        return [Settled() for _ in releases]

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        """Move them, at once. Lambda deletes them once more, which SQS takes in good part."""
        return self._app.broker.dead_letter(dead)

    def delay_of(self, delivery: Delivery) -> float | None:
        """Seconds after which a collected delivery returns; None for one that isn't collected."""
        release = self._releases.get(delivery.receipt)
        return None if release is None else release.delay

    def flush(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Give back what was collected, in the order of `deliveries`.

        Whatever the broker says, they must be reported as failed: one that wasn't given back returns later,
        when its lease ends.

        Returns:
            What was collected.
        """
        ordered = [self._releases[one.receipt] for one in deliveries if one.receipt in self._releases]
        if ordered:
            self._release(ordered)
        return [release.delivery for release in ordered]

    def _release(self, releases: Sequence[Release]) -> None:
        broker = self._app.broker
        keeps_body = broker.limits.rewrites_on_release
        try:
            answers = broker.release([_as_sent(release, keeps_body=keeps_body) for release in releases])
        except CloudqError as error:
            logger.warning(
                "%d records return when their leases end: %s",
                len(releases),
                error,
                extra={"action": "not_released"},
            )
            return
        for release, answer in zip(releases, answers, strict=True):
            if not isinstance(answer, Settled):
                logger.warning(
                    "returns when its lease ends: %s",
                    answer,
                    extra={
                        "action": "not_released",
                        "queue": release.delivery.queue,
                        "id": release.delivery.id,
                    },
                )


def _as_sent(release: Release, *, keeps_body: bool) -> Release:
    """A release that only moves the lease's end: a copy sent from Lambda would count as a hop of a loop."""
    body = release.body if keeps_body else None
    return dataclasses.replace(release, delay=min(release.delay, LONGEST_DELAY), body=body)
