"""How much of an invocation is left, and for which task that is enough."""

from __future__ import annotations

from typing import Any, Protocol

from cloudq.app import App
from cloudq.codec import decode
from cloudq.delivery import Delivery
from cloudq.errors import DecodeError
from cloudq.tasks import Task

__all__ = ["RESERVE", "LambdaContext", "Remaining"]

RESERVE = 2.0
"""Seconds kept for the end: one request that gives back what didn't end well."""


class LambdaContext(Protocol):
    """What is asked of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda kills this process."""
        ...


class Remaining:
    """The time of one invocation.

    Args:
        app: Whose tasks run.
        context: Lambda's; None, as in a test, for all the time in the world.
    """

    def __init__(self, app: App, context: LambdaContext | None) -> None:
        self._app = app
        self._limit = app.conf.settings.task_time_limit
        self._took: dict[str, float] = {}
        self._longest = max((self._limit_of(task) for task in app.tasks.values()), default=0.0)
        self.deadline = None if context is None else app.clock.monotonic() + _seconds(context)
        """When the last task must have ended, on the app's monotonic clock."""

    def fits(self, delivery: Delivery) -> bool:
        """Whether a message can run to its end: in its time limit, or as long as its task took before."""
        if self.deadline is None:
            return True
        left = self.deadline - self._app.clock.monotonic()
        # Most often there is time for whatever it is, and no need to look.
        return left > 0 and (left >= self._longest or left >= self._needs(delivery))

    def took(self, task: str, seconds: float) -> None:
        """Remember how long a task ran."""
        self._took[task] = max(seconds, self._took.get(task, 0.0))
        self._longest = max(seconds, self._longest)

    def _needs(self, delivery: Delivery) -> float:
        try:
            name = decode(delivery.body).task
        except DecodeError:
            return 0.0
        task = self._app.tasks.get(name)
        return 0.0 if task is None else self._limit_of(task) or self._took.get(name, 0.0)

    def _limit_of(self, task: Task[..., Any]) -> float:
        return task.options.time_limit or self._limit or 0.0


def _seconds(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1000 - RESERVE
