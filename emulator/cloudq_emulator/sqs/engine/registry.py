"""All queues, by account, region and name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.moves import MoveTasks
from cloudq_emulator.sqs.engine.queue import Queue
from cloudq_emulator.sqs.engine.settings import Settings
from cloudq_emulator.sqs.refusals import (
    NO_SUCH_TARGET,
    QUEUE_DELETED_RECENTLY,
    QUEUE_DOES_NOT_EXIST,
    QUEUE_NAME_EXISTS,
    TARGET_FORBIDS,
    TARGET_OF_OTHER_TYPE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Key = tuple[str, str, str]
"""Account, region, name."""


class Registry:
    """The queues of all accounts and regions, and the names that aren't free yet."""

    def __init__(self) -> None:
        self._queues: dict[Key, Queue] = {}
        self._deleted_at: dict[Key, float] = {}
        self.make_queue: Callable[..., Queue] = Queue
        self.moves = MoveTasks(self)

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._queues.values())

    def get(self, account: str, region: str, name: str) -> Queue:
        """The queue of this name.

        Raises:
            SqsError: There is none.
        """
        queue = self._queues.get((account, region, name))
        if queue is None:
            raise QUEUE_DOES_NOT_EXIST.error()
        return queue

    def by_arn(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it exists."""
        region, account, name = [*arn.split(":", 5)[3:], "", "", ""][:3]
        return self._queues.get((account, region, name))

    def of(self, account: str, region: str) -> list[Queue]:
        """One account's queues in one region, by name."""
        mine = [queue for key, queue in self._queues.items() if key[:2] == (account, region)]
        return sorted(mine, key=lambda queue: queue.name)

    def create(
        self, account: str, region: str, name: str, attributes: Mapping[str, object], now: float
    ) -> tuple[Queue, bool]:
        """Make a queue, unless there is one with these attributes; the bool says whether it is new.

        Raises:
            SqsError: An attribute is wrong, a namesake differs, or the name was freed too recently.
        """
        settings = Settings().changed(attributes)
        settings.check()
        key = (account, region, name)
        existing = self._queues.get(key)
        if existing is not None:
            _check_same(existing.settings, settings, attributes)
            return existing, False
        if 0 <= now - self._deleted_at.get(key, now - limits.RECREATE) < limits.RECREATE:
            raise QUEUE_DELETED_RECENTLY.error()
        queue = self.make_queue(name, account=account, region=region, settings=settings, now=now, queues=self)
        self._check_redrive(queue, settings)
        self._deleted_at.pop(key, None)
        self._queues[key] = queue
        return queue, True

    def put(self, queue: Queue) -> None:
        """Have a queue that was made elsewhere."""
        self._queues[queue.account, queue.region, queue.name] = queue

    def change(self, queue: Queue, attributes: Mapping[str, object], now: float) -> None:
        """Set some of a queue's attributes.

        Raises:
            SqsError: One doesn't exist or can't have that value.
        """
        settings = queue.settings.changed(attributes)
        settings.check()
        self._check_redrive(queue, settings)
        queue.configure(settings, now)

    def delete(self, queue: Queue, now: float) -> None:
        """Delete a queue with all it holds; its name is free again after a while."""
        key = (queue.account, queue.region, queue.name)
        del self._queues[key]
        self._deleted_at[key] = now
        self.moves.drop(queue)

    def free_name(self, account: str, region: str, name: str) -> None:
        """Let a name be used again at once."""
        self._deleted_at.pop((account, region, name), None)

    def sources_of(self, target: Queue) -> list[Queue]:
        """The queues whose dead letters go to `target`, by name."""
        sources = [
            queue
            for queue in self._queues.values()
            if queue.settings.redrive is not None and queue.settings.redrive.target == target.arn
        ]
        return sorted(sources, key=lambda queue: queue.name)

    def clear(self) -> None:
        """Forget everything, the names that aren't free yet included."""
        self._queues.clear()
        self._deleted_at.clear()
        self.moves.clear()

    def _check_redrive(self, queue: Queue, settings: Settings) -> None:
        if settings.redrive is None:
            return
        text, target = settings.redrive.write(), self.by_arn(settings.redrive.target)
        if target is None:
            raise NO_SUCH_TARGET.error(value=text)
        if target.settings.is_fifo != settings.is_fifo:
            raise TARGET_OF_OTHER_TYPE.error(value=text)
        allow = target.settings.redrive_allow
        if allow is not None and not allow.allows(queue.arn):
            raise TARGET_FORBIDS.error(value=text)


def _check_same(existing: Settings, wanted: Settings, attributes: Mapping[str, object]) -> None:
    for name in attributes:
        if existing.written(name) != wanted.written(name):
            raise QUEUE_NAME_EXISTS.error(attribute=name)
