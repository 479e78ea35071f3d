"""One delivery that is held, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from cloudq.delivery import Delivery, Execution

__all__ = ["Holding", "State"]


class State(Enum):
    """Where a holding is."""

    READY = auto()
    """No child has it."""
    ASSIGNED = auto()
    """A child has it; whether it runs is asked when it matters."""
    RUNNING = auto()
    FINISHED = auto()
    """Its run has ended, or it is given up: it waits to be kept and settled."""
    GONE = auto()
    """It is held no longer."""


@dataclass(slots=True, eq=False)
class Holding:
    """One delivery that is held.

    Args:
        tag: Its number in this worker.
        delivery: What was received.
        lease_until: When its lease ends unless it is extended.
        group: What it must keep its place in; None where order doesn't matter.
        state: Where it is.
        child: Who has it.
        execution: What its run came to.
        is_kept: Whether nothing has to be kept any more before its lease may be ended.
        is_changing: Whether a lease-changing request is under way.
        is_lost: Whether its child was told that its lease may be somebody else's by now.
        is_suspect: Whether it ran in a process that died, with others beside it: it is run alone.
        not_before: When its next settlement may go out.
        tries: Attempts to keep or to settle that came to nothing.
    """

    tag: int
    delivery: Delivery
    lease_until: float
    group: tuple[str, str] | None = None
    state: State = State.READY
    child: int | None = None
    execution: Execution | None = None
    is_kept: bool = False
    is_changing: bool = False
    is_lost: bool = False
    is_suspect: bool = False
    not_before: float = 0.0
    tries: int = 0
