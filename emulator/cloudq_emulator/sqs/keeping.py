"""Queues that outlive the process: every change is in the journal before its request is answered.

A line of the journal is one operation's changes, each a row: what a queue is, a message that is new, what
became of one, one that is gone. Rows say what is, not what was asked for, so that reading them back decides
nothing anew. Not kept: which receives may be repeated, how noisy a fair queue's groups are, move tasks.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

from cloudq_emulator.sqs.engine.message import DELAYED, GONE, LEASED, READY, Message
from cloudq_emulator.sqs.engine.queue import Queue
from cloudq_emulator.sqs.engine.settings import SETTABLE, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloudq_emulator.sqs.service import SqsService
    from cloudq_emulator.store import Journal

Row = tuple[Any, ...]

_QUEUE, _MESSAGE, _CHANGE, _GONE, _PURGE, _DELETE = "queue", "message", "change", "gone", "purge", "delete"
_FIELDS: Final = tuple(one.name for one in dataclasses.fields(Message))
_CHANGING: Final = (
    *("number", "state", "receive_count", "received_here"),
    *("first_received_at", "received_at", "receipt_number"),
)
_STATES: Final = {state: state for state in (DELAYED, READY, LEASED, GONE)}
"""The engine compares states by identity."""
_SHAPING: Final = frozenset(
    {"CreateQueue", "DeleteQueue", "SetQueueAttributes", "TagQueue", "UntagQueue", "PurgeQueue"}
    | {"AddPermission", "RemovePermission"}
)
"""Operations that change what a queue is."""
_LINE: Final = 1_000
"""Rows of a line when the journal is written anew."""

_all_of = attrgetter(*_FIELDS)
_changing_of = attrgetter(*_CHANGING)


@dataclass(frozen=True, slots=True)
class Restored:
    """How much was found."""

    queue_count: int
    message_count: int


class KeptQueue(Queue):
    """A queue that tells a keeper of all that changes.

    Args:
        keeper: Whom to tell.
        **what: As `Queue`.
    """

    def __init__(self, name: str, *, keeper: Keeper, **what: Any) -> None:
        super().__init__(name, **what)
        self._keeper = keeper

    def purge(self, now: float) -> None:
        super().purge(now)
        self._keeper.purged(self)

    def description(self) -> dict[str, Any]:
        """All but the messages."""
        written = {name: self.settings.written(name) for name in SETTABLE}
        return {
            "account": self.account,
            "region": self.region,
            "name": self.name,
            "created_at": self.created_at,
            "modified_at": self.modified_at,
            "purged_at": self.purged_at,
            "sent_count": self._sent_count,
            "attributes": {name: value for name, value in written.items() if value is not None},
            "tags": self.tags,
        }

    def contents(self) -> Iterator[tuple[Message, float | None]]:
        """All messages, in order, each with when its delay or lease ends; also those that are remembered."""
        due = self._timers.times()
        for _, message in self._duplicates:
            if message.state is GONE:
                yield message, None
        for message in self:
            yield message, due.get(message)

    def describe_as(self, uid: str, description: dict[str, Any]) -> None:
        """Be a queue that once was."""
        self.uid = uid
        self.tags = description["tags"]
        self.modified_at, self.purged_at = description["modified_at"], description["purged_at"]
        self._sent_count = description["sent_count"]

    def fill(self, messages: Iterable[tuple[Message, float | None]]) -> None:
        """Hold messages that once were held, given in the order of their numbers."""
        by_state: dict[str, list[Message]] = {state: [] for state in _STATES}
        for message, due_at in messages:
            by_state[message.state].append(message)
            self._messages[message.number] = message
            self._ages.put(message)
            if due_at is not None:
                self._timers.put(message, due_at)
        for message in by_state[LEASED]:
            self._arrive(message)
        self._line.begin_receive()
        while (leased := self._line.take()) is not None:
            leased.state = LEASED
        self.leased_count, self.delayed_count = len(by_state[LEASED]), len(by_state[DELAYED])
        for message in by_state[READY]:
            self._arrive(message)

    def remember(self, message: Message) -> None:
        """Take what repeats a message, whether it is still there or not, for its duplicate."""
        if self.settings.is_fifo and not message.dead_letter_source:
            scope = message.group if self.settings.deduplication_scope == "messageGroup" else ""
            self._duplicates.original(scope, message, message.sent_at)

    def _hold(self, message: Message) -> None:
        super()._hold(message)
        self._keeper.held(self, message)

    def _set_timer(self, message: Message, at: float) -> None:
        super()._set_timer(message, at)
        self._keeper.changed(self, message, at)

    def _come_back(self, message: Message) -> None:
        super()._come_back(message)
        self._keeper.changed(self, message, None)

    def _forget(self, message: Message) -> None:
        super()._forget(message)
        self._keeper.gone(self, message)


@dataclass(slots=True)
class _Found:
    """What the journal says of one queue."""

    description: dict[str, Any]
    messages: dict[int, tuple[Message, float | None]] = field(default_factory=dict)
    remembered: list[Message] = field(default_factory=list)


class Keeper:
    """Keeps a service's queues in a journal. Lives on the event loop's thread, as they do.

    Args:
        journal: Where to.
        service: Whose.
    """

    def __init__(self, journal: Journal, service: SqsService) -> None:
        self._journal = journal
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._is_called = False
        self._queues: dict[KeptQueue, None] = {}
        self._purged: list[KeptQueue] = []
        self._gone: list[Row] = []
        self._touched: dict[Message, tuple[KeptQueue, bool, float | None]] = {}
        self._to_adopt: set[str] = set()

    def restore(self) -> Restored:
        """Make the queues that the journal knows, and keep them and all others from now on.

        Raises:
            StoreError: The journal can't be read.
        """
        found: dict[str, _Found] = {}
        for rows in self._journal.read():
            for row in rows:
                _apply(found, row)
        registry = self._service.registry
        registry.make_queue = lambda name, **what: KeptQueue(name, keeper=self, **what)
        for uid, one in found.items():
            self._revive(uid, one)
        self._forget()
        self._service.keeper = self
        self._to_adopt = {queue.arn for queue in registry}
        return Restored(len(found), sum(len(one.messages) for one in found.values()))

    def adopt(self, arn: str) -> bool:
        """Whether a queue is one of the last run's that hasn't been asked for yet; asked for it is now."""
        found = arn in self._to_adopt
        self._to_adopt.discard(arn)
        return found

    def after(self, operation: str, queue: Queue | None) -> None:
        """Write down what an operation changed, before it is answered.

        Raises:
            OSError: It can't be written; it will be with the next operation, if that can.
        """
        if operation in _SHAPING and queue is not None:
            self._queues[cast("KeptQueue", queue)] = None
        self.flush()

    def flush(self) -> None:
        """Write down what has changed."""
        self._is_called = False
        rows = list(self._rows())
        if rows:
            self._journal.append(rows)
            self._forget()
            if self._journal.is_long:
                self._journal.write_anew(self._all())

    def clear(self) -> None:
        """Forget everything, in the journal as well."""
        self._forget()
        self._to_adopt.clear()
        self._journal.write_anew(())

    def close(self) -> None:
        """Write down what is left, and let go of the journal."""
        self.flush()
        self._service.keeper = None
        self._journal.close()

    # What queues tell.

    def held(self, queue: KeptQueue, message: Message) -> None:
        """A message is new."""
        self._touched[message] = (queue, True, None)
        self._call()

    def changed(self, queue: KeptQueue, message: Message, due_at: float | None) -> None:
        """A message's state is another, until `due_at`."""
        touched = self._touched.get(message)
        self._touched[message] = (queue, touched is not None and touched[1], due_at)
        self._call()

    def gone(self, queue: KeptQueue, message: Message) -> None:
        """A message isn't there any more."""
        self._touched.pop(message, None)
        self._gone.append((_GONE, queue.uid, message.number))
        self._call()

    def purged(self, queue: KeptQueue) -> None:
        """No message is there any more."""
        self._touched = {message: one for message, one in self._touched.items() if one[0] is not queue}
        self._purged.append(queue)
        self._call()

    def _call(self) -> None:
        """Flush soon, if no operation does so first: time brings changes, too.

        Invariant: a long poll's answer is set after the change that it tells of, and so its client gets it
        after the flush.
        """
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self.flush)

    def _rows(self) -> Iterator[Row]:
        deleted: list[Row] = []
        for queue in self._queues:
            if self._service.registry.by_arn(queue.arn) is queue:
                yield _QUEUE, queue.uid, queue.description()
            else:
                deleted.append((_DELETE, queue.uid))
        yield from ((_PURGE, queue.uid) for queue in self._purged)
        yield from self._gone
        for message, (queue, is_new, due_at) in self._touched.items():
            if is_new:
                yield _MESSAGE, queue.uid, due_at, _all_of(message)
            else:
                yield _CHANGE, queue.uid, due_at, _changing_of(message)
        yield from deleted

    def _all(self) -> Iterator[list[Row]]:
        for queue in self._service.registry:
            kept = cast("KeptQueue", queue)
            rows: list[Row] = [(_QUEUE, kept.uid, kept.description())]
            for message, due_at in kept.contents():
                rows.append((_MESSAGE, kept.uid, due_at, _all_of(message)))
                if len(rows) >= _LINE:
                    yield rows
                    rows = []
            yield rows

    def _revive(self, uid: str, found: _Found) -> None:
        described = found.description
        queue = self._service.registry.make_queue(
            described["name"],
            account=described["account"],
            region=described["region"],
            settings=Settings().changed(described["attributes"]),
            now=described["created_at"],
            queues=self._service.registry,
        )
        kept = cast("KeptQueue", queue)
        kept.describe_as(uid, described)
        for message in found.remembered:
            kept.remember(message)
        kept.fill(found.messages[number] for number in sorted(found.messages))
        self._service.registry.put(kept)

    def _forget(self) -> None:
        self._queues.clear()
        self._purged.clear()
        self._gone.clear()
        self._touched.clear()


def _apply(found: dict[str, _Found], row: list[Any]) -> None:
    match row:
        case [kind, uid, description] if kind == _QUEUE:
            found.setdefault(uid, _Found(description)).description = description
        case [kind, uid, due_at, values] if kind == _MESSAGE:
            _apply_message(found[uid], dict(zip(_FIELDS, values, strict=True)), due_at)
        case [kind, uid, due_at, values] if kind == _CHANGE:
            changes = dict(zip(_CHANGING, values, strict=True))
            message, _ = found[uid].messages[changes["number"]]
            for name, value in changes.items():
                setattr(message, name, _STATES[value] if name == "state" else value)
            found[uid].messages[message.number] = message, due_at
        case [kind, uid, number] if kind == _GONE:
            found[uid].messages.pop(number, None)
        case [kind, uid] if kind == _PURGE:
            found[uid].messages.clear()
            found[uid].remembered.clear()
        case [kind, uid] if kind == _DELETE:
            found.pop(uid, None)
        case _:
            raise ValueError(f"The journal has a row that means nothing: {row}")


def _apply_message(found: _Found, values: dict[str, Any], due_at: float | None) -> None:
    message = Message(**{**values, "state": _STATES[values["state"]]})
    found.description["sent_count"] = max(found.description["sent_count"], message.number)
    if message.deduplication:
        found.remembered.append(message)
    if message.state is not GONE:
        found.messages[message.number] = message, due_at
