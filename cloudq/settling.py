"""Ending deliveries: the only settler.

Result first, then what follows, then the ack, each only if the one before is sure: whatever breaks between
two steps, the message is still there and its next delivery goes on from the record.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from cloudq.delivery import (
    Accepted,
    Answer,
    Dead,
    Delivery,
    Done,
    Execution,
    Ignored,
    Lost,
    Outcome,
    Outgoing,
    Reason,
    Release,
    Requeue,
    RetryLater,
    Sent,
    Settled,
    Unknown,
)
from cloudq.errors import BackendError, BrokerError, ConfigurationError, QueueNotFoundError
from cloudq.results import Record, ResultStore

__all__ = ["Settler", "SettlingBroker"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

FOLLOW_UP_DELAY = 5.0
"""Seconds until a message whose follow-ups weren't taken is tried again."""

_FINAL_CODES = {"failed", "rejected", "bad_result"}


class SettlingBroker(Protocol):
    """The part of a broker that settles; a Lambda batch has one of its own."""

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]: ...
    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]: ...
    def release(self, releases: Sequence[Release]) -> list[Answer]: ...
    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]: ...


class Settler:
    """Settles deliveries by their executions' outcomes.

    Args:
        broker: Where they came from.
        results: Where records are; None where no backend is configured.
        missed: Told that a queue isn't there, the dead-letter queue most likely.
    """

    def __init__(
        self,
        broker: SettlingBroker,
        results: ResultStore | None,
        missed: Callable[[], None] = lambda: None,
    ) -> None:
        self._broker = broker
        self._results = results
        self._missed = missed

    def settle(self, items: Sequence[tuple[Delivery, Execution]]) -> list[Answer]:
        """End each delivery's lease. After `Unknown`, settle it again: every step bears repeating."""
        answers: list[Answer] = [Unknown("not tried")] * len(items)
        kept: list[tuple[int, tuple[Delivery, Execution]]] = []
        for index, execution in enumerate(self.keep(items)):
            if isinstance(execution, Unknown):
                answers[index] = execution
            else:
                kept.append((index, (items[index][0], execution)))
        for (index, _), answer in zip(kept, self.end([item for _, item in kept]), strict=True):
            answers[index] = answer
        return answers

    def must_keep(self, execution: Execution) -> bool:
        """Whether `keep` has anything to do for it."""
        match execution.outcome:
            case Done(follow_ups=follow_ups):
                return bool(follow_ups) or (self._results is not None and bool(execution.id))
            case Requeue() | Ignored(is_revoked=False):
                return False
            case _:
                return self._results is not None and bool(execution.id)

    def keep(self, items: Sequence[tuple[Delivery, Execution]]) -> list[Execution | Unknown]:
        """What comes before the end of a lease: save results, send what follows. It leaves leases alone.

        Returns:
            The executions as they are to be ended, or why that isn't sure to be kept: keep it again.
        """
        records = [_record(execution) if self._results is not None else None for _, execution in items]
        failure = self._save(records, items)
        kept: list[Execution | Unknown] = []
        unkept: list[tuple[Delivery, Execution]] = []
        for record, (delivery, execution) in zip(records, items, strict=True):
            if failure is not None and record is not None:
                kept.append(failure)
                unkept.append((delivery, execution))
            else:
                kept.append(execution._replace(outcome=self._follow_up(execution.outcome)))
        if failure is not None and unkept:
            _log_failure(unkept, failure)
        return kept

    def end(self, items: Sequence[tuple[Delivery, Execution]]) -> list[Answer]:
        """End the leases of what is kept. After `Unknown`, end it again."""
        answers: list[Answer] = [Unknown("not tried")] * len(items)
        for queue in dict.fromkeys(delivery.queue for delivery, _ in items):
            # Queue by queue: one that is gone must not hold up the others.
            self._end_in(queue, items, answers)
        _log_all(items, answers)
        return answers

    def _end_in(self, queue: str, items: Sequence[tuple[Delivery, Execution]], answers: list[Answer]) -> None:
        acks: list[tuple[int, Delivery]] = []
        releases: list[tuple[int, Release]] = []
        dead: list[tuple[int, tuple[Delivery, Reason]]] = []
        for index, (delivery, execution) in enumerate(items):
            if delivery.queue != queue:
                continue
            match execution.outcome:
                case Done() | Ignored():
                    acks.append((index, delivery))
                case RetryLater(delay=delay, body=body):
                    releases.append((index, Release(delivery, delay, body)))
                case Requeue(delay=delay, body=body, is_counted=is_counted):
                    releases.append((index, Release(delivery, delay, body, is_counted)))
                case Dead(reason):
                    dead.append((index, (delivery, reason)))
        self._settle(self._broker.ack, acks, answers)
        self._settle(self._broker.release, releases, answers)
        self._settle(self._broker.dead_letter, dead, answers)

    def _settle(
        self, call: Callable[[Sequence[T]], list[Answer]], items: list[tuple[int, T]], answers: list[Answer]
    ) -> None:
        if not items:
            return
        try:
            given = call([item for _, item in items])
        except (BrokerError, ConfigurationError) as error:  # the latter: a right was withdrawn meanwhile
            given = [Unknown(str(error))] * len(items)
            if isinstance(error, QueueNotFoundError):
                self._missed()
        for (index, _), answer in zip(items, given, strict=True):
            answers[index] = answer

    def _save(
        self, records: Sequence[Record | None], items: Sequence[tuple[Delivery, Execution]]
    ) -> Unknown | None:
        """Save the records; why that wasn't done for sure."""
        if self._results is None:
            return None
        latest: dict[str, Record] = {}
        for record, (_, execution) in zip(records, items, strict=True):
            # A message may be there twice: SQS delivers some more than once.
            if record is not None and record.may_replace(latest.get(execution.id)):
                latest[execution.id] = record
        try:
            self._results.save(latest)
        except BackendError as error:
            return Unknown(str(error))
        return None

    def _follow_up(self, outcome: Outcome) -> Outcome:
        """The outcome, or a release in its place where what follows wasn't surely taken."""
        if not isinstance(outcome, Done) or not outcome.follow_ups:
            return outcome
        for follow_up in outcome.follow_ups:
            try:
                (answer,) = self._broker.send(follow_up.queue, [follow_up.outgoing])
            except (BrokerError, ConfigurationError) as error:
                answer = Unknown(str(error))
            if not isinstance(answer, Sent):
                return Requeue(
                    FOLLOW_UP_DELAY, why=f"what follows wasn't taken: {answer.why}", is_counted=True
                )
        return outcome


def _record(execution: Execution) -> Record | None:
    """What callers are told; None where nothing is."""
    if not execution.id:
        return None
    base = Record(
        state="PENDING",
        task=execution.task,
        generation=execution.generation,
        attempt=execution.attempt,
        failures=execution.attempt - 1,
    )
    match execution.outcome:
        case Done(result=result):
            return dataclasses.replace(base, state="SUCCESS", result=result)
        case RetryLater(failures=failures, error=error, traceback=traceback):
            return dataclasses.replace(
                base, state="RETRY", failures=failures, error=error, traceback=traceback
            )
        case Dead(reason):
            state = "FAILURE" if reason.code in _FINAL_CODES else "DEAD"
            error = reason.error or reason.text
            return dataclasses.replace(
                base, state=state, failures=reason.failures, error=error, traceback=reason.traceback
            )
        case Ignored(is_revoked=True, why=why):
            return dataclasses.replace(base, state="REVOKED", error=why)
        case _:
            return None


def _log_all(items: Sequence[tuple[Delivery, Execution]], answers: Sequence[Answer]) -> None:
    is_told = logger.isEnabledFor(logging.INFO)
    failed: dict[tuple[str, Unknown], list[tuple[Delivery, Execution]]] = {}
    for (delivery, execution), answer in zip(items, answers, strict=True):
        if isinstance(answer, Unknown):
            failed.setdefault((delivery.queue, answer), []).append((delivery, execution))
        elif is_told or type(execution.outcome) is not Done or not isinstance(answer, Settled):
            _log(delivery, execution, answer)
    for (_, answer), those in failed.items():
        _log_failure(those, answer)


def _log_failure(items: Sequence[tuple[Delivery, Execution]], failure: Unknown) -> None:
    """One line for all: a broker that is down fails for a thousand messages at once, and again."""
    (delivery, execution), *others = items
    said = f"{failure.why} ({len(others)} more, too)" if others else failure.why
    extra = {"action": "not_settled", "count": len(items), **_facts(delivery, execution)}
    logger.warning("not settled: %s", said, extra=extra)


def _facts(delivery: Delivery, execution: Execution) -> dict[str, Any]:
    return {
        "queue": delivery.queue,
        "task": execution.task,
        "message_id": execution.id or delivery.id,
        "attempt": execution.attempt,
        "seconds": round(execution.seconds, 6),
    }


def _log(delivery: Delivery, execution: Execution, answer: Settled | Lost) -> None:
    extra = _facts(delivery, execution)
    if isinstance(answer, Lost):
        logger.warning("not settled: its lease had ended", extra={"action": "not_settled", **extra})
        return
    match execution.outcome:
        case Done():
            logger.info("done", extra={"action": "message_done", **extra})
        case Ignored(why=why):
            logger.info("ignored: %s", why, extra={"action": "message_ignored", **extra})
        case RetryLater(delay=delay, error=error):
            extra |= {"delay": delay}
            logger.warning("retry in %.1f s: %s", delay, error, extra={"action": "message_retried", **extra})
        case Requeue(delay=delay, why=why):
            extra |= {"delay": delay}
            logger.info(
                "given back for %.1f s: %s", delay, why, extra={"action": "message_released", **extra}
            )
        case Dead(reason):
            extra |= {"reason": reason.code, **({"traceback": reason.traceback} if reason.traceback else {})}
            logger.error("dead-lettered: %s", reason.text, extra={"action": "message_dead", **extra})
