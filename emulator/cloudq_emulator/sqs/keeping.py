"""Queues that outlive the process: every change is in the journal before its request is answered.

A line of the journal is one operation's changes, each a row: what a queue is, a message that is new, what
became of one, one that is gone. Rows say what is, not what was asked for, so that reading them back decides
nothing anew. Not kept: which receives may be repeated, move tasks, which deleted queues' names aren't free.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

from cloudq_emulator.clock import Course
from cloudq_emulator.sqs.engine.message import DELAYED, GONE, LEASED, READY, Message, State
from cloudq_emulator.sqs.engine.queue import Queue
from cloudq_emulator.sqs.engine.settings import SETTABLE, Settings
from cloudq_emulator.sqs.errors import SqsError
from cloudq_emulator.sqs.shortening import Shortening
from cloudq_emulator.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloudq_emulator.sqs.service import SqsService
    from cloudq_emulator.store import Journal

Row = tuple[Any, ...]

_CLOCK, _QUEUE, _DELETE, _PURGE = "clock", "queue", "delete", "purge"
_MESSAGE, _CHANGE, _GONE = "message", "change", "gone"
_FIELDS: Final = tuple(one.name for one in dataclasses.fields(Message))
_CHANGING: Final = (
    *("number", "state", "receive_count", "received_here"),
    *("first_received_at", "received_at", "receipt_number"),
)
_STATES: Final[dict[State, State]] = {state: state for state in (DELAYED, READY, LEASED, GONE)}
"""The engine compares states by identity."""
_SHAPING: Final = frozenset(
    {"CreateQueue", "DeleteQueue", "SetQueueAttributes", "TagQueue", "UntagQueue", "PurgeQueue"}
    | {"AddPermission", "RemovePermission"}
)
"""Operations that change what a queue is."""
_READING: Final = ("Get", "List")
"""What operations that change nothing begin with."""
_LINE: Final = 100
"""Rows of a line when the journal is written anew; makes half a millisecond."""

logger = logging.getLogger(__name__)

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
        """All messages, in order, each with when its delay or lease ends; then those only remembered.

        The queue may change meanwhile. What comes is as it is when it comes; what was sent since the
        beginning doesn't come.
        """
        for message in list(self._messages.values()):
            if message.state is not GONE:
                yield message, self._timers.due_at(message)
        duplicates = self._duplicates
        for _, message in list(duplicates):
            if self._duplicates is not duplicates:  # purged
                return
            if message.state is GONE:
                yield message, None

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
    remembered: dict[int, Message] = field(default_factory=dict)


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
        self._is_told = False  # that it can't be written, and nothing could be since
        self._queues: dict[KeptQueue, None] = {}
        self._purged: list[KeptQueue] = []
        self._gone: list[Row] = []
        self._touched: dict[Message, tuple[KeptQueue, bool, float | None]] = {}
        self._to_adopt: set[str] = set()
        self._clock_moved = False
        self._unwatch = service.clock.watch(self._moved)
        self._shortening: Shortening | None = None

    def restore(self) -> Restored:
        """Make the queues that the journal knows, and keep them and all others from now on.

        Raises:
            StoreError: The journal can't be read.
        """
        found, course = self._read()
        if course is not None:
            self._service.clock.go_on(course)
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
            SqsError: It can't be written; it will be with the next operation, if that can.
        """
        if operation in _SHAPING and queue is not None:
            self._queues[cast("KeptQueue", queue)] = None
        if operation.startswith(_READING):
            return  # what time has brought is written soon, and must not make it fail
        try:
            self._flush()
        except OSError as error:
            raise SqsError("InternalFailure", self._tell(error), 500) from error

    def flush(self) -> None:
        """Write down what has changed, if it can be written; if not, it will be with the next change."""
        try:
            self._flush()
        except OSError as error:
            self._tell(error)

    def _flush(self) -> None:
        self._is_called = False
        rows = list(self._rows())
        if rows:
            self._journal.append(rows)
            self._is_told = False
            self._forget()
            if self._journal.is_long:
                self._shortening = Shortening(self._journal, self._all())

    def _tell(self, error: OSError) -> str:
        text = f"{self._journal.path} can't be written: {error.strerror}"
        if not self._is_told:
            logger.error(text, extra={"action": "journal_failed"})
        self._is_told = True
        return text

    def clear(self) -> None:
        """Forget everything, in the journal as well."""
        self._forget()
        self._to_adopt.clear()
        self._stop_shortening()
        self._journal.empty()

    def close(self) -> None:
        """Write down what is left, and let go of the journal."""
        self.flush()
        self._stop_shortening()
        self._unwatch()
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

    def _moved(self) -> None:
        self._clock_moved = True
        self._call()

    def _call(self) -> None:
        """Flush soon, if no operation does so first: time brings changes, too.

        Invariant: a long poll's answer is set after the change that it tells of, and so its client gets it
        after the flush.
        """
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self.flush)

    def _read(self) -> tuple[dict[str, _Found], Course | None]:
        found: dict[str, _Found] = {}
        course: Course | None = None
        row: list[Any] = []
        try:
            for rows in self._journal.read():
                for row in rows:
                    if row[0] == _CLOCK:
                        course = Course(*row[1]) if row[1] else None
                    else:
                        _apply(found, row)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise StoreError(
                f"{self._journal.path} has a row that means nothing: {str(row)[:200]}"
            ) from error
        return found, course

    def _rows(self) -> Iterator[Row]:
        deleted: list[Row] = []
        if self._clock_moved:
            yield self._clock_row()
        for queue in self._queues:
            if self._is_there(queue):
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
        """Rows for all there is; what changes while they are asked for is written besides, as ever.

        Queues come first, and so every message's row, whenever it was written, comes after its queue's.
        """
        queues = [cast("KeptQueue", queue) for queue in self._service.registry]
        yield [self._clock_row(), *((_QUEUE, queue.uid, queue.description()) for queue in queues)]
        for queue in queues:
            contents = queue.contents()
            while rows := list(itertools.islice(contents, _LINE)) if self._is_there(queue) else None:
                yield [(_MESSAGE, queue.uid, due_at, _all_of(message)) for message, due_at in rows]

    def _clock_row(self) -> Row:
        course = self._service.clock.kept()
        return _CLOCK, course and tuple(course)

    def _is_there(self, queue: KeptQueue) -> bool:
        return self._service.registry.by_arn(queue.arn) is queue

    def _stop_shortening(self) -> None:
        if self._shortening is not None:
            self._shortening.stop()

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
        for number in sorted(found.remembered):
            kept.remember(found.remembered[number])
        kept.fill(found.messages[number] for number in sorted(found.messages))
        self._service.registry.put(kept)

    def _forget(self) -> None:
        self._queues.clear()
        self._purged.clear()
        self._gone.clear()
        self._touched.clear()
        self._clock_moved = False


def _apply(found: dict[str, _Found], row: list[Any]) -> None:
    match row:
        case [kind, uid, due_at, values] if kind == _MESSAGE:
            _apply_message(found[uid], Message(*values), due_at)
        case [kind, uid, description] if kind == _QUEUE:
            found.setdefault(uid, _Found(description)).description = description
        case [kind, uid, due_at, values] if kind == _CHANGE:
            _apply_change(found[uid], dict(zip(_CHANGING, values, strict=True)), due_at)
        case [kind, uid, number] if kind == _GONE:
            if (known := found[uid].messages.pop(number, None)) is not None:
                known[0].state = GONE
        case [kind, uid] if kind == _PURGE:
            found[uid].messages.clear()
            found[uid].remembered.clear()
        case [kind, uid] if kind == _DELETE:
            found.pop(uid, None)
        case _:
            raise ValueError("no kind of row")


def _apply_message(found: _Found, message: Message, due_at: float | None) -> None:
    message.state = _STATES[message.state]
    found.description["sent_count"] = max(found.description["sent_count"], message.number)
    if message.deduplication:
        found.remembered[message.number] = message
    if message.state is not GONE:
        found.messages[message.number] = message, due_at


def _apply_change(found: _Found, changes: dict[str, Any], due_at: float | None) -> None:
    known = found.messages.get(changes["number"])
    if known is None:  # the journal was being written anew, and the message's own row comes later
        return
    message, _ = known
    for name, value in changes.items():
        setattr(message, name, _STATES[value] if name == "state" else value)
    found.messages[message.number] = message, due_at
