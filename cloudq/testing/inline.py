"""Running an app's messages in the test's own process: the real pipeline, no waiting."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from cloudq.app import App
from cloudq.clock import FakeClock
from cloudq.delivery import Delivery
from cloudq.execution import Context, execute
from cloudq.settling import Settler

__all__ = ["InlineWorker", "in_memory"]

_STEP = 1.0
_LEASE = 60.0
_BATCH = 100


@contextmanager
def in_memory(app: App) -> Generator[App]:
    """Lend an app queues and results in memory, and a clock that stands still, for the length of a block."""
    clock, app.clock = app.clock, FakeClock(app.clock.now())
    app.close()
    with app.conf.overridden({"broker_url": "memory://", "result_backend": "memory://"}):
        try:
            yield app
        finally:
            app.close()
            app.clock = clock


class InlineWorker:
    """Receives, runs and settles what waits in an app's queues, in the thread that calls.

    Args:
        app: Whose messages it runs.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def drain(self, *queues: str, within: float = 0.0) -> int:
        """Run messages until none is ready; how many were run.

        Args:
            *queues: Which; by default all of the app's.
            within: Seconds by which the app's clock, where it is a `FakeClock`, is moved on while messages
                are delayed: retries with their backoff run at once.
        """
        for name in queues or self._app.queues:
            self._app.declare(name)
        names = tuple(
            level.name for name in queues or self._app.queues for level in self._app.queue(name).levels
        )
        count = self._run_ready(names)
        clock, left = self._app.clock, within
        while isinstance(clock, FakeClock) and left > 0 and self._is_anything_delayed(names):
            clock.advance(min(_STEP, left))
            left -= _STEP
            count += self._run_ready(names)
        return count

    def _run_ready(self, queues: tuple[str, ...]) -> int:
        count = 0
        settler = Settler(self._app.broker, self._app.results)
        while deliveries := self._app.broker.receive(queues, limit=_BATCH, lease=_LEASE, wait=0):
            for delivery in deliveries:
                settler.settle([(delivery, execute(self._app, delivery.body, self._context(delivery)))])
            count += len(deliveries)
        return count

    def _is_anything_delayed(self, queues: tuple[str, ...]) -> bool:
        return any(self._app.broker.stats(queue).delayed for queue in queues)

    def _context(self, delivery: Delivery) -> Context:
        return Context(
            queue=delivery.queue,
            receive_count=delivery.receive_count,
            max_receives=self._app.queue(delivery.queue).max_receives,
            has_count=self._app.broker.limits.rewrites_on_release,
        )
