"""One invocation: each record in turn, what didn't end well back to its queue, then Lambda's answer.

A fresh value each time, so that nothing survives to the next invocation of a warm function.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from cloudq.app import App
from cloudq.delivery import Delivery, Execution, Release, Settled
from cloudq.execution import Context, execute
from cloudq.lambda_handler.delays import BatchBroker
from cloudq.lambda_handler.fifo import Groups
from cloudq.lambda_handler.remaining import LambdaContext, Remaining
from cloudq.retry import Backoff
from cloudq.settling import Settler

__all__ = ["Batch"]

logger = logging.getLogger(__name__)

_UNSETTLED = Backoff(base=5.0, max=900.0)
"""How long a record waits whose result, follow-up or dead letter wasn't taken; it grows with its receives."""


class Batch:
    """The records of one invocation.

    Args:
        app: Whose tasks run.
        context: Lambda's; None, as in a test, for all the time in the world.
    """

    def __init__(self, app: App, context: LambdaContext | None) -> None:
        self._app = app
        self._remaining = Remaining(app, context)
        self._groups = Groups()
        self._broker = BatchBroker(app)
        self._settler = Settler(self._broker, app.results)
        self._has_count = app.broker.limits.rewrites_on_release
        self._max_receives: dict[str, int] = {}
        self._unsettled: list[tuple[Delivery, Execution]] = []

    def run(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Run records, and give back those that didn't end well.

        Returns:
            Those that Lambda must not delete.
        """
        for position, delivery in enumerate(deliveries):
            # The first gets all the time there will ever be: sent back, it would never run.
            if position and not self._remaining.fits(delivery):
                self._return_rest(deliveries[position:])
                break
            if (delay := self._groups.stopped(delivery)) is not None:
                self._give_back(delivery, delay)
            else:
                self._one(delivery)
        self._settle_again()
        return self._broker.flush(deliveries)

    def _one(self, delivery: Delivery) -> None:
        with self._surviving(delivery):
            execution = execute(self._app, delivery.body, self._context(delivery))
            self._remaining.took(execution.task, execution.seconds)
            if not self._settle(delivery, execution):
                self._unsettled.append((delivery, execution))
                self._groups.stop(delivery, 0.0)

    @contextmanager
    def _surviving(self, delivery: Delivery) -> Generator[None]:
        """The top of this consumer's loop: an error that escaped would return the whole batch."""
        try:
            yield
        except Exception:
            logger.exception(
                "the record failed in cloudq, not in its task",
                extra={"action": "record_failed", "queue": delivery.queue, "id": delivery.id},
            )
            self._give_back(delivery, _UNSETTLED.delay(delivery.receive_count))

    def _context(self, delivery: Delivery) -> Context:
        queue = delivery.queue
        if queue not in self._max_receives:
            self._max_receives[queue] = self._app.queue(queue).max_receives
        return Context(
            queue=queue,
            receive_count=delivery.receive_count,
            max_receives=self._max_receives[queue],
            has_count=self._has_count,
            deadline=self._remaining.deadline,
        )

    def _settle(self, delivery: Delivery, execution: Execution) -> bool:
        (answer,) = self._settler.settle([(delivery, execution)])
        if (delay := self._broker.delay_of(delivery)) is not None:
            self._groups.stop(delivery, delay)
        return isinstance(answer, Settled)

    def _settle_again(self) -> None:
        """Once more: a backend or a dead-letter queue that was busy may have recovered meanwhile."""
        for delivery, execution in self._unsettled:
            with self._surviving(delivery):
                if not self._settle(delivery, execution):
                    logger.error(
                        "it ran, but how it ended could not be kept: it runs again",
                        extra={"action": "record_unsettled", "queue": delivery.queue, "id": delivery.id},
                    )
                    self._give_back(delivery, _UNSETTLED.delay(delivery.receive_count))

    def _give_back(self, delivery: Delivery, delay: float) -> None:
        self._groups.stop(delivery, delay)
        self._broker.release([Release(delivery, delay, is_counted=False)])

    def _return_rest(self, deliveries: Sequence[Delivery]) -> None:
        logger.warning(
            "%d records go back unrun: the function's time is over",
            len(deliveries),
            extra={"action": "out_of_time", "records": len(deliveries)},
        )
        for delivery in deliveries:
            self._give_back(delivery, self._groups.stopped(delivery) or 0.0)
