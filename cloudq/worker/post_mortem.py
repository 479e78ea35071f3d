"""What a run came to that couldn't tell it itself, since its process is gone."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cloudq.delivery import Delivery, Execution
from cloudq.execution import Context, crashed, given_back, timed_out
from cloudq.retry import RetryPolicy

__all__ = ["PostMortem"]


class PostMortem:
    """Judges what had begun in a process that ended.

    Args:
        policies: How each task is retried, by its name.
        caps: How often a message may be received, by its queue's name.
        has_count: Whether a message's body counts its failures.
    """

    def __init__(
        self, policies: Mapping[str, RetryPolicy], caps: Mapping[str, int], *, has_count: bool
    ) -> None:
        self._policies, self._caps, self._has_count = policies, caps, has_count

    def timed_out(self, delivery: Delivery, limit: float) -> Execution:
        """It was killed since it had run for `limit` seconds."""
        return timed_out(delivery.body, self._context(delivery), self._policy(delivery), limit)

    def killed_with_another(self, delivery: Delivery) -> Execution:
        """Its process was killed for another task's sake."""
        return given_back(delivery.body, "its process was ended with another task's")

    def crashed(self, delivery: Delivery, cause: str, *, is_alone: bool) -> Execution:
        """Its process died of itself.

        Args:
            delivery: What ran.
            cause: What the process died of.
            is_alone: Whether nothing else ran in it, which may have been the culprit.
        """
        if not is_alone:
            return given_back(delivery.body, f"{cause}; it or another did it: it is run again, alone")
        retries = self._policy(delivery).retries
        return crashed(delivery.body, self._context(delivery), cause, retries=retries)

    def _context(self, delivery: Delivery) -> Context:
        return Context(
            queue=delivery.queue,
            receive_count=delivery.receive_count,
            max_receives=self._caps[delivery.queue],
            has_count=self._has_count,
        )

    def _policy(self, delivery: Delivery) -> RetryPolicy:
        return self._policies.get(_task_of(delivery), RetryPolicy())


def _task_of(delivery: Delivery) -> str:
    """The task's name; empty where the body is no message, which `execute` says."""
    try:
        return str(json.loads(delivery.body)["task"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
