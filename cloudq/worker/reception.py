"""One receive of a worker, from several queues: one that fails doesn't hold up the others."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from cloudq.app import App
from cloudq.brokers.rests import Rests
from cloudq.clock import Clock
from cloudq.delivery import Delivery
from cloudq.errors import BrokerError, BrokerUnavailableError, ConfigurationError, QueueNotFoundError
from cloudq.queues import base_name
from cloudq.retry import Backoff
from cloudq.worker.preference import Preference

__all__ = ["HOPELESS", "Reception"]

HOPELESS = (ConfigurationError, QueueNotFoundError)
"""What a worker that starts ends of, and says so. One that has received before goes on trying."""

_REST = Backoff(base=0.5, max=30.0)

_Failed = dict[str, BrokerError | ConfigurationError]

logger = logging.getLogger(__name__)


class Reception:
    """Receives; one thread uses it.

    Args:
        app: Whose broker.
        preference: Where, and in what order.
        lease: Seconds of the leases.
        wait: Seconds to wait for the first message.
        clock: Time.
    """

    def __init__(self, app: App, preference: Preference, *, lease: float, wait: float, clock: Clock) -> None:
        self._app, self._preference, self._clock = app, preference, clock
        self._lease, self._wait = lease, wait
        self._rests = Rests(_REST)
        self._failing: set[str] = set()
        self.has_received = False
        """Whether a receive has ever been answered."""

    def receive(self, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        """Ask for up to `limit` messages.

        Args:
            limit: How many.
            without: Queues that aren't asked, by name.

        Raises:
            BrokerUnavailableError: The broker can't be reached.
            BrokerError: None of the queues can be received from, or, before the first answer, one of them
                isn't there.
            ConfigurationError: The same of what somebody has to set right.
        """
        names = [name for name in self._preference.names if name not in without]
        asked = self._rests.worth_asking(names, self._clock.monotonic())
        brought: list[Delivery] = []
        failed = self._declare(asked)
        able = [name for name in asked if name not in failed]
        if able:
            self._rest(failed)
            brought, failed = self._ask(able, limit)
        if failed and len(failed) == len(able or asked):
            raise next(iter(failed.values()))
        self._rest(failed)
        if self._failing:
            self._answered([name for name in able if name not in failed], brought)
        self._preference.brought(one.queue for one in brought)
        return brought

    def _declare(self, names: Sequence[str]) -> _Failed:
        failed: _Failed = {}
        for name in names:
            try:
                self._app.declare(name)
            except (BrokerError, ConfigurationError) as error:
                # One that is unavailable, too: SQS makes a deleted queue again after a minute, no sooner.
                failed[name] = error
        return failed

    def _ask(self, names: Sequence[str], limit: int) -> tuple[list[Delivery], _Failed]:
        without = set(self._preference.names).difference(names)
        queues, limit = self._preference.order(limit, without)
        try:
            return self._receive(queues, limit, self._wait), {}
        except BrokerUnavailableError:
            raise
        except (BrokerError, ConfigurationError) as error:
            if len(names) == 1:
                return [], {names[0]: error}
            return self._ask_each(names, limit)

    def _ask_each(self, names: Sequence[str], limit: int) -> tuple[list[Delivery], _Failed]:
        """Find out which of several it is that can't be received from: up to the first that has something."""
        failed: _Failed = {}
        for name in names:
            try:
                brought = self._receive(self._preference.levels(name), limit, 0.0)
            except BrokerUnavailableError:
                raise
            except (BrokerError, ConfigurationError) as error:
                if isinstance(error, HOPELESS) and not self.has_received:
                    raise
                failed[name] = error
            else:
                if brought:
                    return brought, failed
        return [], failed

    def _receive(self, queues: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        try:
            brought = self._app.broker.receive(queues, limit=limit, lease=self._lease, wait=wait)
        except QueueNotFoundError:
            self._app.forget_queues()  # deleted meanwhile: where queues are made, the next try makes it
            raise
        self.has_received = True
        return brought

    def _rest(self, failed: _Failed) -> None:
        if not failed:
            return
        now = self._clock.monotonic()
        for name, error in failed.items():
            self._failing.add(name)
            logger.warning(
                "queue %r can't be received from, next try in %.1f s; others go on: %s",
                name,
                self._rests.failed(name, now),
                error,
                extra={"action": "queue_failed", "queue": name},
            )

    def _answered(self, names: Sequence[str], brought: Sequence[Delivery]) -> None:
        for name in names:
            self._rests.answered(name)
        for name in self._failing & {base_name(one.queue) for one in brought}:
            self._failing.discard(name)
            logger.info(
                "queue %r is received from again", name, extra={"action": "queue_back", "queue": name}
            )
