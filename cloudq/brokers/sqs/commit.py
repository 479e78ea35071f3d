"""Group commit: threads that send at once share requests, without a thread of its own and without waiting.

Whoever comes while no batch is on its way becomes a leader and sends at once; who comes meanwhile waits, and
when the answer is in, one of those leads what has gathered. So a lone sender waits for nobody, and under load
batches fill by themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from cloudq.brokers.sqs.entries import MAX_BYTES, Entry
from cloudq.brokers.sqs.packing import Backlog, Ticket
from cloudq.brokers.sqs.transport import AnswerLostError

__all__ = ["GroupCommit"]

MAX_BATCHES = 8
"""On their way at once; more than one only while full batches wait."""
_INTERRUPTED = "The thread that sent this batch was interrupted."


class GroupCommit:
    """Shares one queue's batches between threads.

    Args:
        send: Sends a batch and answers for each of its entries.
        max_bytes: Of a batch.
    """

    def __init__(self, send: Callable[[list[Entry]], list[Any]], max_bytes: int = MAX_BYTES) -> None:
        self._send = send
        self._changed = threading.Condition()
        self._backlog = Backlog(max_bytes)
        self._on_the_way: list[list[Ticket]] = []

    def submit(self, entries: Sequence[Entry]) -> list[Any]:
        """Send entries and wait for their answers.

        Raises:
            BrokerError: As `send` raised it for one of them; what hadn't left by then stays unsent.
        """
        tickets = [Ticket(entry) for entry in entries]
        with self._changed:
            self._backlog.add(tickets)
        try:
            for ticket in tickets:
                self._settle(ticket)
        finally:
            self._withdraw(tickets)
        return [ticket.answer for ticket in tickets]

    def _settle(self, ticket: Ticket) -> None:
        while not ticket.is_answered:
            if self._may_lead_now(ticket):
                self._lead()
        if isinstance(ticket.answer, _Raised):
            raise ticket.answer.error

    def _may_lead_now(self, ticket: Ticket) -> bool:
        with self._changed:
            while not ticket.is_answered and not self._may_lead():
                self._changed.wait()
            return not ticket.is_answered

    def _may_lead(self) -> bool:
        if not self._backlog.has_batch():
            return False
        return not self._on_the_way or (
            len(self._on_the_way) < MAX_BATCHES and self._backlog.has_full_batch()
        )

    def _lead(self) -> None:
        batch: list[Ticket] = []
        # A leader that is interrupted (Ctrl-C) leaves its followers this answer instead of an endless wait.
        answers: list[Any] | None = None
        try:
            with self._changed:
                if not self._may_lead():
                    return
                self._on_the_way.append(batch)
                batch += self._backlog.take()
            answers = self._send([ticket.entry for ticket in batch])
        except Exception as error:  # noqa: BLE001 - raised again in each thread that the batch belongs to
            answers = [_Raised(error)] * len(batch)
        finally:
            self._answer(batch, answers or [AnswerLostError(_INTERRUPTED)] * len(batch))

    def _answer(self, batch: list[Ticket], answers: Sequence[Any]) -> None:
        with self._changed:
            for ticket, answer in zip(batch, answers, strict=True):
                ticket.answer, ticket.is_answered = answer, True
            self._backlog.done(batch)
            self._on_the_way = [other for other in self._on_the_way if other is not batch]
            self._changed.notify_all()

    def _withdraw(self, tickets: Sequence[Ticket]) -> None:
        if all(ticket.is_answered for ticket in tickets):
            return
        with self._changed:
            for ticket in tickets:
                ticket.is_withdrawn = True
            self._changed.notify_all()


class _Raised:
    """An error that belongs to every thread of a batch."""

    def __init__(self, error: Exception) -> None:
        self.error = error
