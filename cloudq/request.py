"""What a running task can ask about its own run: `self.request`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import NamedTuple

from cloudq.message import Message

__all__ = ["Request", "running"]


def _never() -> bool:
    return False


class Request(NamedTuple):
    """One run of a task. A tuple, for speed.

    Args:
        message: The message that it runs.
        queue: Where it was received.
        retries: Attempts that failed before this one.
        receive_count: Deliveries so far, this one included.
        deadline: When it will be stopped, on `monotonic`; None for never.
        monotonic: The clock that `deadline` is on, in seconds.
        is_lease_lost: Says whether somebody else may have the message by now.
    """

    message: Message
    queue: str
    retries: int
    receive_count: int
    monotonic: Callable[[], float]
    deadline: float | None = None
    is_lease_lost: Callable[[], bool] = _never

    @property
    def id(self) -> str:
        """The message's id; the same in every attempt."""
        return self.message.id

    @property
    def headers(self) -> Mapping[str, str]:
        """What the sender put beside the arguments."""
        return self.message.headers

    @property
    def lease_lost(self) -> bool:
        """Whether the lease ran out: another worker may run this message too, and this run may not count."""
        return self.is_lease_lost()

    def time_remaining(self) -> float | None:
        """Seconds until this run is stopped; None where it has no limit."""
        return None if self.deadline is None else max(0.0, self.deadline - self.monotonic())


running: ContextVar[Request | None] = ContextVar("cloudq_running", default=None)
"""The request of the task that this thread or coroutine runs."""
