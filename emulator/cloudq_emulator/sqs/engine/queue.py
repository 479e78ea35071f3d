"""One queue."""

from __future__ import annotations

import dataclasses
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine import receipts
from cloudq_emulator.sqs.engine.agenda import Agenda
from cloudq_emulator.sqs.engine.fifo import Duplicates, FifoLine
from cloudq_emulator.sqs.engine.message import DELAYED, GONE, LEASED, READY
from cloudq_emulator.sqs.engine.ready import StandardLine
from cloudq_emulator.sqs.errors import MESSAGE_NOT_IN_FLIGHT, PURGE_IN_PROGRESS, invalid_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.engine.ready import Line
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
        self._queues = queues
        self._messages: dict[int, Message] = {}
        self._sent_count = 0
        self._line: Line = FifoLine() if settings.is_fifo else StandardLine()
        self._duplicates = Duplicates()
        self._timers: Agenda[Message] = Agenda()
        self._ages: Agenda[Message] = Agenda()

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
            scope = message.group if self.settings.deduplication_scope == "messageGroup" else ""
            original = self._duplicates.original(scope, message, now)
            if original is not None:
                return original
        self._take_in(message, now)
        return message

    def receive(self, limit: int, lease: float, now: float) -> list[tuple[Message, str]]:
        """Lease at most `limit` messages for `lease` seconds, each with its receipt handle.

        A message that has been received as often as the redrive policy allows moves to the dead-letter
        queue instead.
        """
        self.advance(now)
        received: list[tuple[Message, str]] = []
        self._line.begin_receive()
        while len(received) < limit and (message := self._line.take()) is not None:
            target = self._dead_letter_queue(message)
            if target is None:
                received.append((message, self._lease(message, lease, now)))
            else:
                self._give_up(message, target, now)
        return received

    def delete(self, handle: str, now: float) -> None:
        """Delete the message that `handle` was given out for.

        A message already gone is no error. An older handle than the latest deletes nothing, and is none
        either: "the request will succeed, but the message might not be deleted" (API, DeleteMessage).

        Raises:
            SqsError: The handle isn't of this queue; on a FIFO queue also if its lease is over.
        """
        self.advance(now)
        receipt = receipts.read(handle, self.uid)
        message = self._messages.get(receipt.message)
        if message is None:
            return
        is_held = message.receipt_number == receipt.number and message.state is LEASED
        if self.settings.is_fifo and not is_held:
            raise invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
        if message.receipt_number == receipt.number:
            self._remove(message)

    def change_lease(self, handle: str, seconds: int, now: float) -> None:
        """Let the lease that `handle` stands for end `seconds` from now; 0 gives the message back.

        Raises:
            SqsError: The handle isn't of this queue, the lease is over, or it would last over 12 hours.
        """
        self.advance(now)
        receipt = receipts.read(handle, self.uid)
        message = self._messages.get(receipt.message)
        if message is None or message.receipt_number != receipt.number:
            raise invalid_value(
                handle,
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            )
        if message.state is not LEASED:
            raise MESSAGE_NOT_IN_FLIGHT.error()
        if now + seconds - message.received_at > limits.LEASE:
            raise invalid_value(
                seconds,
                "VisibilityTimeout",
                f"Total VisibilityTimeout for the message is beyond the limit [{limits.LEASE} seconds]",
            )
        if seconds:
            self._set_timer(message, now + seconds)
        else:
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
        for message in self._messages.values():
            message.state = GONE
        self.delayed_count = self.leased_count = 0
        for part in (self._messages, self._line, self._timers, self._ages):
            part.clear()

    def advance(self, now: float) -> None:
        """Settle what has come due: delays and leases that end, messages past their retention."""
        for message in self._timers.due(now):
            if message.state is DELAYED:
                self.delayed_count -= 1
                self._arrive(message)
            else:
                self._come_back(message)
        for message in self._ages.due(now - self.settings.retention):
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
        message = self._messages[receipts.read(handle, self.uid).message]
        copy = dataclasses.replace(message)
        self._hold(copy)
        self._arrive(copy)

    def shuffle(self, random: Random) -> None:
        """Bring some of the messages that wait, the next ones among them, into another order."""
        self._line.begin_receive()
        taken = [message for _ in range(_SHUFFLED) if (message := self._line.take()) is not None]
        random.shuffle(taken)
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
        self._ages.put(message, message.sent_at)

    def _arrive(self, message: Message) -> None:
        message.state = READY
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
        if message.state is LEASED:
            self.leased_count -= 1
        elif message.state is DELAYED:
            self.delayed_count -= 1
        if message.state is not DELAYED:
            self._line.leave(message)
        message.state = GONE
        self._forget(message)
        # On a FIFO queue a message that is done lets its group go on.
        if self.watcher is not None and self._line.has_next():
            self.watcher.became_ready(self)

    def _forget(self, message: Message) -> None:
        del self._messages[message.number]
        self._timers.drop(message)
        self._ages.drop(message)

    def _dead_letter_queue(self, message: Message) -> Queue | None:
        """Where to move a message that was received often enough; None to go on handing it out."""
        redrive = self.settings.redrive
        if redrive is None or message.received_here < redrive.max_receives:
            return None
        return self._queues.by_arn(redrive.target)

    def _give_up(self, message: Message, target: Queue, now: float) -> None:
        """Move a message that was just taken from the line."""
        message.state = GONE
        self._line.leave(message)
        self._forget(message)
        message.dead_letter_source = self.arn
        message.delay = 0
        if self.settings.is_fifo:
            message.sent_at = (
                now  # standard queues keep the time of the first send, and with it the retention
            )
        target._take_in(message, now)

    def _set_timer(self, message: Message, at: float) -> None:
        self._timers.put(message, at)
        if self.watcher is not None:
            self.watcher.will_be_due(at)
