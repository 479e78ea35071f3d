"""A lane: a thread that makes one kind of blocking call, one at a time, for a loop that must not block.

It handles what it brings back itself, with the loop's turn, and often finds its next call there.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from cloudq.errors import CloudqError

__all__ = ["Lane"]

J = TypeVar("J")
A = TypeVar("A")

logger = logging.getLogger(__name__)


class Lane(Generic[J, A]):
    """Runs `call(job)` in a thread of its own, and `then(job, answer)` there, too, with the loop's turn.

    Args:
        name: The thread's name.
        call: What blocks.
        then: Gets the job with its answer or its error.
        interject: Makes a call with the loop's turn.
    """

    def __init__(
        self,
        name: str,
        call: Callable[[J], A],
        then: Callable[[J, A | CloudqError], None],
        interject: Callable[[Callable[[], None]], Any],
    ) -> None:
        self._call = call
        self._then = then
        self._interject = interject
        self._jobs: queue.SimpleQueue[J | None] = queue.SimpleQueue()
        self.is_busy = False
        """Whether a call is under way; changes with the loop's turn alone."""
        self._thread = threading.Thread(target=self._run, name=f"cloudq-{name}", daemon=True)
        self._thread.start()

    def submit(self, job: J) -> None:
        """Start a call; only when the lane isn't busy."""
        self.is_busy = True
        self._jobs.put(job)

    def close(self, timeout: float) -> None:
        """End the thread, waiting for a call under way for `timeout` seconds at most."""
        self._jobs.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._report(job, self._answer(job))

    def _report(self, job: J, answer: A | CloudqError) -> None:
        def seen() -> None:
            self.is_busy = False
            self._then(job, answer)

        self._interject(seen)

    def _answer(self, job: J) -> A | CloudqError:
        try:
            return self._call(job)
        except CloudqError as error:
            return error
        except Exception as error:
            # A driver's error that its broker let through: the worker lives on, and the log says whose it is.
            logger.exception("a broker or a backend failed", extra={"action": "unexpected_error"})
            return CloudqError(f"{type(error).__name__}: {error}")
