"""Message move tasks: dead letters on their way back, at so many a second.

Source: Amazon SQS API Reference, StartMessageMoveTask, and Developer Guide, "Configure a dead-letter queue
redrive", read 2026-11. Moved messages are new: they get an id and a time of sending of their own.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.message import new_id
from cloudq_emulator.sqs.refusals import QUEUE_DOES_NOT_EXIST, TASK_DOES_NOT_EXIST, TASK_IS_RUNNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.engine.queue import Queue

Status = Literal["RUNNING", "COMPLETED", "CANCELLED", "FAILED"]

NO_SOURCE: Final = "CouldNotDetermineMessageSource"
"""The failure when a message came to the dead-letter queue otherwise than from another queue."""


class Queues(Protocol):
    """Where destinations are found."""

    def by_arn(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it exists."""
        ...


@dataclass(slots=True, eq=False)
class MoveTask:
    """One task.

    Args:
        source: The dead-letter queue.
        destination: The ARN of the queue to move to; empty moves each message to where it came from.
        rate: Messages a second that were asked for; 0 for as many as SQS likes.
        started_at: When.
        to_move: How many messages there were then.
    """

    source: Queue
    destination: str
    rate: int
    started_at: float
    to_move: int
    moved: int = 0
    status: Status = "RUNNING"
    failure: str = ""
    id: str = field(default_factory=new_id)

    @property
    def next_at(self) -> float:
        """When the next message is to be moved."""
        return self.started_at + self.moved / (self.rate or limits.MOVES)

    def step(self, queues: Queues) -> None:
        """Move the next message, or end."""
        message = self.source.take_for_move(self.next_at) if self.moved < self.to_move else None
        if message is None:
            self.status = "COMPLETED"
            return
        target = queues.by_arn(self.destination or message.dead_letter_source)
        if target is None:
            self._fail(message)
            return
        self.source.move(message, target, self.next_at)
        self.moved += 1
        if self.moved == self.to_move:
            self.status = "COMPLETED"

    def _fail(self, message: Message) -> None:
        self.source.put_back(message)
        self.status = "FAILED"
        has_source = self.destination or message.dead_letter_source
        self.failure = QUEUE_DOES_NOT_EXIST.code if has_source else NO_SOURCE


class MoveTasks:
    """All queues' move tasks: those that run, and each queue's latest.

    Args:
        queues: Where destinations are found.
    """

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._running: dict[str, MoveTask] = {}  # by source ARN: a queue has one at a time
        self._latest: dict[str, deque[MoveTask]] = {}

    def start(self, source: Queue, destination: str, rate: int, now: float) -> MoveTask:
        """Begin to move what is ready in `source`.

        Raises:
            SqsError: It is being moved already.
        """
        if source.arn in self._running:
            raise TASK_IS_RUNNING.error()
        task = MoveTask(source, destination, rate, now, source.ready_count)
        self._running[source.arn] = task
        self._latest.setdefault(source.arn, deque(maxlen=limits.TASKS)).appendleft(task)
        self.advance(now)
        return task

    def cancel(self, source: Queue, id_: str) -> MoveTask:
        """End a task where it is.

        Raises:
            SqsError: No such task is running.
        """
        task = self._running.get(source.arn)
        if task is None or task.id != id_:
            raise TASK_DOES_NOT_EXIST.error()
        task.status = "CANCELLED"
        del self._running[source.arn]
        return task

    def of(self, source: Queue) -> Sequence[MoveTask]:
        """A queue's latest tasks, the newest first."""
        return tuple(self._latest.get(source.arn, ()))

    def advance(self, now: float) -> None:
        """Move what is due by now."""
        if not self._running:  # as nearly always
            return
        for arn, task in list(self._running.items()):
            while task.status == "RUNNING" and task.next_at <= now:
                task.step(self._queues)
            if task.status != "RUNNING":
                del self._running[arn]

    def next_due_at(self) -> float | None:
        """When the next message is to be moved."""
        return min((task.next_at for task in self._running.values()), default=None)

    def drop(self, source: Queue) -> None:
        """A queue is deleted, its tasks with it."""
        self._running.pop(source.arn, None)
        self._latest.pop(source.arn, None)

    def clear(self) -> None:
        """Forget all tasks."""
        self._running.clear()
        self._latest.clear()
