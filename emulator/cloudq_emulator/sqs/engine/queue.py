"""One queue."""

from __future__ import annotations

import dataclasses
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine import receipts
from cloudq_emulator.sqs.engine.agenda import Agenda
from cloudq_emulator.sqs.engine.ages import Ages
from cloudq_emulator.sqs.engine.attempts import Attempts
from cloudq_emulator.sqs.engine.fair import FairLine
from cloudq_emulator.sqs.engine.fifo import Duplicates, FifoLine
from cloudq_emulator.sqs.engine.message import DELAYED, GONE, LEASED, READY, new_id
from cloudq_emulator.sqs.engine.ready import StandardLine
from cloudq_emulator.sqs.refusals import (
    LEASE_TOO_LONG,
    PURGE_IN_PROGRESS,
    RECEIPT_HANDLE_HAS_EXPIRED,
    RECEIPT_HANDLE_HAS_NO_LEASE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from cloudq_emulator.sqs.engine.attempts import Received
    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.engine.settings import Settings

_FIRST_SEQUENCE = 18_800_000_000_000_000_000
"""Sequence numbers have twenty digits. Source: API, SendMessage, read 2026-11."""
_SHUFFLED = 1_000
"""Messages that change their order at once."""


class Watcher(Protocol):
    """Whoever waits for a queue's messages; told of what may end the wait."""

    def became_ready(self, queue: Queue) -> None:
        """A message can be received now."""
        ...

    def will_be_due(self, at: float) -> None:
        """A delay or a lease ends `at`."""
        ...


class Queues(Protocol):
    """Where a queue finds its dead-letter queue."""

    def by_arn(self, arn: str) -> Queue | None:
        """The queue with this ARN, if it exists."""
        ...


class Queue:
    """One queue: what it holds, and the only code that changes a message's state.

    Every method that depends on time first settles what has come due by then, so that nothing has to run
    in between. Readings of the clock may go back: what is due stays due.

    Args:
        name: The queue's name.
        account: Its owner.
        region: Its region.
        settings: Its attributes.
        now: When it is made.
        queues: Where dead-letter queues are found.
    """

    def __init__(
        self, name: str, *, account: str, region: str, settings: Settings, now: float, queues: Queues
    ) -> None:
        self.name = name
        self.account = account
        self.region = region
        self.arn = f"arn:aws:sqs:{region}:{account}:{name}"
        self.settings = settings
        self.tags: dict[str, str] = {}
        self.created_at = self.modified_at = now
        self.purged_at: float | None = None
        self.watcher: Watcher | None = None
        self.delayed_count = self.leased_count = 0
        self.uid = token_hex(4)
        """In receipts: those of a queue's namesake, deleted before it, are none of its own."""
        self.in_flight_limit = limits.IN_FLIGHT
        self._queues = queues
        self._messages: dict[int, Message] = {}
        self._sent_count = 0
        self._line: FifoLine | StandardLine | FairLine = FifoLine() if settings.is_fifo else StandardLine()
        self._duplicates = Duplicates()
        self._former_scope = (settings.deduplication_scope, now)
        self._attempts = Attempts()
        self._timers: Agenda[Message] = Agenda()
        self._ages = Ages(self._messages)

    @property
    def ready_count(self) -> int:
        """Messages that a receive may take."""
        return len(self._messages) - self.delayed_count - self.leased_count

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    def send(self, message: Message, now: float) -> Message:
        """Take in a message; `message.delay` or the queue's own says when it becomes ready.

        Returns:
            The message; on a FIFO queue the earlier one that it repeats, and then it isn't taken in.
        """
        if self.settings.is_fifo:
            scope = message.group if self._deduplication_scope(now) == "messageGroup" else ""
            original = self._duplicates.original(scope, message, now)
            if original is not None:
                return original
        self._take_in(message, now)
        return message

    def receive(self, limit: int, lease: float, now: float, attempt: str = "") -> Received:
        """Lease at most `limit` messages for `lease` seconds, each with its receipt handle.

        A message that has been received as often as the redrive policy allows moves to the dead-letter
        queue instead. A receive with the id of an earlier `attempt` repeats it: the same messages, the same
        handles, and leases that begin anew.
        """
        self.advance(now)
        if attempt and (repeated := self._attempts.recall(attempt, now)):
            for message, _ in repeated:
                self._set_timer(message, now + lease)
            return repeated
        received: Received = []
        self._line.begin_receive()
        limit = min(limit, self.in_flight_limit - self.leased_count)
        while len(received) < limit and (message := self._line.take()) is not None:
            target = self._dead_letter_queue(message)
            if target is None:
                received.append((message, self._lease(message, lease, now)))
            else:
                self._give_up(message, target, now)
        if attempt and received:
            self._attempts.remember(attempt, received, now)
        return received

    def delete(self, handle: str, now: float) -> None:
        """Delete the message that `handle` was given out for.

        A message already gone is no error. On a standard queue any handle of the message will do: "the
        request will succeed, but the message might not be deleted" (API, DeleteMessage), yet in fact it is.

        Raises:
            SqsError: The handle isn't of this queue; on a FIFO queue also if its lease is over.
        """
        self.advance(now)
        number, receipt_number = receipts.read(handle, self.uid)
        message = self._messages.get(number)
        if message is None:
            return
        if not self._may_change(message, receipt_number):
            raise RECEIPT_HANDLE_HAS_EXPIRED.error(value=handle)
        self._remove(message)

    def change_lease(self, handle: str, seconds: int, now: float) -> None:
        """Let the lease that `handle` stands for end `seconds` from now; 0 gives the message back.

        On a standard queue any handle of the message will do, and its lease may be over: the message is
        hidden again. AWS does so, though its documentation speaks of an error.

        Raises:
            SqsError: The handle isn't of this queue, its message is gone, or it would be leased over 12
                hours; on a FIFO queue also if the lease is over.
        """
        self.advance(now)
        number, receipt_number = receipts.read(handle, self.uid)
        message = self._messages.get(number)
        if message is None or not self._may_change(message, receipt_number):
            raise RECEIPT_HANDLE_HAS_NO_LEASE.error(value=handle)
        if now + seconds - message.received_at > limits.LEASE:
            raise LEASE_TOO_LONG.error(value=seconds)
        if self._attempts:
            self._attempts.touch(message)
        if seconds:
            self._hold_on(message)
            self._set_timer(message, now + seconds)
        elif message.state is LEASED:
            self._timers.drop(message)
            self._come_back(message)

    def purge(self, now: float) -> None:
        """Delete everything, what is leased or delayed included.

        Raises:
            SqsError: It was done less than 60 seconds ago.
        """
        if self.purged_at is not None and 0 <= now - self.purged_at < limits.PURGE:
            raise PURGE_IN_PROGRESS.error(queue=self.name)
        self.purged_at = now
        self._duplicates = Duplicates()
        for message in self._messages.values():
            message.state = GONE
        self.delayed_count = self.leased_count = 0
        for part in (self._messages, self._line, self._timers, self._ages, self._attempts):
            part.clear()

    def configure(self, settings: Settings, now: float) -> None:
        """Change the attributes: at once, but for the scope of deduplication, which takes its time."""
        former, self.settings = self.settings, settings
        self.modified_at = now
        if settings.deduplication_scope != former.deduplication_scope:
            self._former_scope = (former.deduplication_scope, now + limits.PROPAGATION)
        if settings.is_fifo and settings.delay != former.delay:
            for message in [message for message in self if message.state is DELAYED]:
                self._set_timer(message, message.sent_at + settings.delay)

    def take_for_move(self, now: float) -> Message | None:
        """The oldest ready message, for a move task; it is either moved or put back."""
        self.advance(now)
        self._line.begin_receive()
        message = self._line.take()
        if message is not None:
            self.leased_count += 1
            message.state = LEASED
        return message

    def put_back(self, message: Message) -> None:
        """Put back what a move task took."""
        self._come_back(message)

    def move(self, message: Message, target: Queue, now: float) -> None:
        """Move what a move task took: it is a new message there."""
        moved = dataclasses.replace(message)
        self._remove(message)
        moved.id, moved.sent_at, moved.delay = new_id(), now, None
        moved.receive_count, moved.first_received_at, moved.dead_letter_source = 0, None, ""
        target.advance(now)
        target._take_in(moved, now)

    def advance(self, now: float) -> None:
        """Settle what has come due: delays and leases that end, messages past their retention."""
        if self._timers.first_at <= now:
            for message in self._timers.due(now):
                self._end_wait(message)
        if self._ages.oldest_at <= now - self.settings.retention:
            for message in self._ages.until(now - self.settings.retention):
                self._remove(message)

    def has_ready(self, now: float) -> bool:
        """Whether a receive would find something."""
        self.advance(now)
        return self._line.has_next()

    def next_due_at(self) -> float | None:
        """When the next delay or lease ends."""
        return self._timers.next_at()

    # What goes wrong in a distributed queue, to be had when ordered.

    def end_leases(self) -> int:
        """End all leases before their time; returns how many there were."""
        leased = [message for message in self if message.state is LEASED]
        for message in leased:
            self._timers.drop(message)
            self._come_back(message)
        return len(leased)

    def repeat(self, handle: str) -> None:
        """Let a message that was just received be there once more, whatever becomes of its first delivery."""
        message = self._messages[receipts.read(handle, self.uid)[0]]
        copy = dataclasses.replace(message)
        self._hold(copy)
        self._arrive(copy)

    def shuffle(self, random: Random) -> None:
        """Bring some of the messages that wait, the next ones among them, into another order."""
        self._line.begin_receive()
        taken = [message for _ in range(_SHUFFLED) if (message := self._line.take()) is not None]
        random.shuffle(taken)
        if isinstance(self._line, StandardLine):
            self._line.put_first(taken)
        else:
            for message in taken:
                self._line.come_back(message)

    def _take_in(self, message: Message, now: float) -> None:
        delay = self.settings.delay if message.delay is None else message.delay
        self._hold(message)
        if delay > 0:
            message.state = DELAYED
            self.delayed_count += 1
            self._set_timer(message, now + delay)
        else:
            self._arrive(message)

    def _hold(self, message: Message) -> None:
        self._sent_count += 1
        message.number = self._sent_count
        message.received_here = 0
        if self.settings.is_fifo:
            message.sequence = f"{_FIRST_SEQUENCE + self._sent_count}"
        self._messages[message.number] = message
        self._ages.put(message)

    def _end_wait(self, message: Message) -> None:
        if message.state is DELAYED:
            self.delayed_count -= 1
            self._arrive(message)
        else:
            self._come_back(message)

    def _arrive(self, message: Message) -> None:
        message.state = READY
        if message.group and isinstance(self._line, StandardLine):
            self._line = FairLine(self._line, self.leased_count)
        self._line.arrive(message)
        if self.watcher is not None:
            self.watcher.became_ready(self)

    def _come_back(self, message: Message) -> None:
        self.leased_count -= 1
        message.state = READY
        self._line.come_back(message)
        if self.watcher is not None:
            self.watcher.became_ready(self)

    def _lease(self, message: Message, lease: float, now: float) -> str:
        if self._attempts:
            self._attempts.touch(message)
        message.state = LEASED
        self.leased_count += 1
        message.receive_count += 1
        message.received_here += 1
        message.receipt_number += 1
        message.received_at = now
        if message.first_received_at is None:
            message.first_received_at = now
        self._set_timer(message, now + lease)
        return receipts.write(self.uid, message.number, message.receipt_number)

    def _remove(self, message: Message) -> None:
        former, message.state = message.state, GONE
        if former is LEASED:
            self.leased_count -= 1
        elif former is DELAYED:
            self.delayed_count -= 1
        if former is not DELAYED:
            self._line.leave(message, was_ready=former is READY)
        if self._attempts:
            self._attempts.touch(message)
        self._forget(message)
        # On a FIFO queue a message that is done lets its group go on.
        if self.watcher is not None and self._line.has_next():
            self.watcher.became_ready(self)

    def _forget(self, message: Message) -> None:
        del self._messages[message.number]
        self._timers.drop(message)
        self._ages.trim()

    def _dead_letter_queue(self, message: Message) -> Queue | None:
        """Where to move a message that was received often enough; None to go on handing it out."""
        redrive = self.settings.redrive
        if redrive is None or message.received_here < redrive.max_receives:
            return None
        return self._queues.by_arn(redrive.target)

    def _give_up(self, message: Message, target: Queue, now: float) -> None:
        """Move a message that was just taken from the line.

        Race: the line may still have an entry of the message, so it is a copy that goes on.
        """
        moved = dataclasses.replace(message)
        message.state = GONE
        self._line.leave(message, was_ready=False)
        self._forget(message)
        moved.dead_letter_source = self.arn
        moved.delay = 0
        if self.settings.is_fifo:
            # Standard queues keep the time of the first send, and with it the retention.
            moved.sent_at = now
            # Two messages may have had one deduplication id, at different times.
            moved.deduplication = moved.id
        target._take_in(moved, now)

    def _may_change(self, message: Message, receipt_number: int) -> bool:
        if self.settings.is_fifo:
            return message.state is LEASED and message.receipt_number == receipt_number
        return message.receipt_number > 0

    def _hold_on(self, message: Message) -> None:
        """Lease a message whose lease was over, if it was."""
        if message.state is READY and not isinstance(self._line, FifoLine):
            message.state = LEASED
            self.leased_count += 1
            self._line.hold(message)

    def _deduplication_scope(self, now: float) -> str:
        former, until = self._former_scope
        return former if now < until else self.settings.deduplication_scope

    def _set_timer(self, message: Message, at: float) -> None:
        self._timers.put(message, at)
        if self.watcher is not None:
            self.watcher.will_be_due(at)
