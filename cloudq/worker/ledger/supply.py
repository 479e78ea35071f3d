"""How much to hold ahead of what runs: what starts within a moment, by how long runs have taken lately."""

from __future__ import annotations

__all__ = ["Supply"]

HORIZON = 0.05
"""Seconds of work that a worker holds ahead of what runs: a receive's round trip or two."""
PAID_HORIZON = 1.0
"""The same where each request is paid for: enough to fill requests, and not so much that it is hoarding."""
CHILD_HORIZON = 0.01
"""Seconds of work that wait in a child behind what runs, for each of its slots, up to `HORIZON`: a slow task
holds them up in a child that has one slot, and takes one of many from them in another."""
MOST_AHEAD = 1000
MOST_IN_CHILD = 250
MOST_UNSETTLED = 1000
"""Ended runs that wait for a broker or a backend that doesn't answer, before nothing more is received."""
MOST_BYTES = 64 * 1024 * 1024
_SMOOTHING = 0.1
_STALL = 10
"""Horizons in which no run ends before it is plain that they take longer than was thought."""
CHILD_PATIENCE = _STALL * CHILD_HORIZON
"""Seconds without the end of a run after which a child is called on to give back what waits in it."""


class Supply:
    """Learns how long runs take, and says how much is wanted.

    Args:
        paid_batch: How many messages one request carries where each is paid for; None where they are free.
    """

    def __init__(self, paid_batch: int | None) -> None:
        self._paid_batch = paid_batch
        self._horizon = HORIZON if paid_batch is None else PAID_HORIZON
        self._mean: float | None = None

    def learn(self, seconds: float) -> None:
        """A run took so long."""
        mean = seconds if self._mean is None else self._mean
        self._mean = mean + _SMOOTHING * (seconds - mean)

    @property
    def patience(self) -> float:
        """Seconds without the end of a run after which another worker may run what is held ahead sooner."""
        return _STALL * self._horizon

    def stall(self) -> None:
        """No run has ended for `patience`: hold less ahead."""
        self._mean = max(2 * (self._mean or 0.0), self.patience)

    def window(self, slots: int) -> int:
        """How many messages a child with so many slots should have."""
        return slots + self._ahead(slots, min(HORIZON, CHILD_HORIZON * slots), MOST_IN_CHILD)

    def room(self, slots: int, *, unfinished: int, finished: int, size_bytes: int) -> int:
        """How many more messages to ask for; 0 until there is room worth a request.

        Args:
            slots: How many messages run at once.
            unfinished: Messages that are held and haven't been run to their end.
            finished: Those that have.
            size_bytes: What the bodies of all of them take.
        """
        batch = self._paid_batch
        ahead = self._ahead(slots, self._horizon, MOST_AHEAD)
        if size_bytes >= MOST_BYTES or finished >= max(MOST_UNSETTLED, 2 * ahead):
            return 0
        room = slots + ahead - unfinished
        if batch is None:
            return room if room >= max(1, ahead // 4) else 0
        if room >= batch:
            return room - room % batch  # whole requests
        return room if room >= max(1, ahead) else 0

    def _ahead(self, slots: int, horizon: float, most: int) -> int:
        """How many messages start within the horizon, beyond those that run."""
        if self._mean is None:
            return 0
        return int(min(most, slots * horizon / max(self._mean, 1e-6)))
