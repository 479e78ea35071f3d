"""Which queues are paused: kept in the result backend, where every worker looks."""

from __future__ import annotations

from collections.abc import Sequence

from cloudq.backends.base import Backend

__all__ = ["Pauses"]


class Pauses:
    """Pauses queues: workers finish what they hold and receive no more until the queue is resumed.

    Args:
        backend: Where that is kept.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def pause(self, queue: str) -> None:
        """Pause a queue, all its levels of priority; it stays paused over restarts."""
        self._backend.put(_key(queue), b"1")

    def resume(self, queue: str) -> None:
        """Let a queue go on."""
        self._backend.delete(_key(queue))

    def among(self, queues: Sequence[str]) -> set[str]:
        """Those of these queues that are paused."""
        found = self._backend.get_many([_key(queue) for queue in queues])
        return {queue for queue in queues if _key(queue) in found}


def _key(queue: str) -> str:
    return f"paused:{queue}"
