"""Going through a dead-letter queue.

A dead letter is put back by receiving it, sending it to the queue that it came from, and, once that has
surely been accepted, deleting it: in this order and one at a time, so that whatever breaks in between loses
nothing and doubles one message at most. AWS's own redrive is not used: it can't choose, and it puts a message
back as it was, so that results of its first life would still count.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from cloudq.app import App
from cloudq.dead_letters.letters import Chosen, DeadLetter, put_back
from cloudq.delivery import Answer, Delivery, NotSent, Release, Sent, Settled, Unknown
from cloudq.errors import BrokerError, MessageTooLargeError

__all__ = ["Tally", "Walk"]

LEASE = 120.0
"""Seconds for which a dead letter is held while it is put back."""
BATCH = 10
WAIT = 1.0
"""Seconds that a receive waits where the broker shows what it has to those alone who wait."""
ACKS = 3
"""How often a deletion is tried whose answer is lost."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Tally:
    """What became of dead letters so far.

    Args:
        done: Put back, or deleted.
        left: They weren't chosen, and stay where they are.
        died_again: They were put back, and have died again since.
        expired: Nobody would run them any more, and they stay where they are.
        refused: Their queue didn't take them, and they stay where they are: ids with reasons.
        doubtful: They were put back, but perhaps not deleted: they may come a second time.
        held: Others hold them, a command that was killed perhaps, for two minutes at most (where the broker
            counts exactly).
    """

    done: int = 0
    left: int = 0
    died_again: int = 0
    expired: int = 0
    refused: dict[str, str] = field(default_factory=dict[str, str])
    doubtful: int = 0
    held: int = 0


class Walk:
    """One way through a dead-letter queue. What isn't chosen is held until the end, so that the rest comes.

    Args:
        app: Whose broker it is on.
        name: The dead-letter queue.
        chosen: Which are meant.
        limit: At most so many; None for all.
        rate: At most so many a second; None for as fast as it goes.
        told: Called with what was done, after each step.
        puts_back: Whether they are sent to where they came from before they are deleted.
    """

    def __init__(
        self,
        app: App,
        name: str,
        chosen: Chosen,
        limit: int | None,
        rate: float | None,
        told: Callable[[Tally], object],
        *,
        puts_back: bool,
    ) -> None:
        self._broker, self._clock = app.broker, app.clock
        self._name, self._chosen, self._limit, self._told = name, chosen, limit, told
        self._puts_back = puts_back
        self._pause = 1.0 / rate if rate else 0.0
        # No more in one batch than their turns come within a quarter of the lease.
        self._batch = BATCH if not rate else max(1, min(BATCH, int(rate * LEASE / 4)))
        self._next_at = self._clock.monotonic()
        self._began_at = self._clock.now()
        self._tally = Tally()
        self._held: dict[str, Delivery] = {}
        self._moved: set[str] = set()
        self._in_hand: list[Delivery] = []

    def run(self) -> Tally:
        try:
            while (room := self._room()) > 0 and self._wanted():
                if self._pause > LEASE / 4:
                    self._wait_for_turn()  # not under the lease, which wouldn't last
                half_time = self._clock.monotonic() + LEASE / 2  # what took so long may take the whole lease
                wait = 0.0 if self._broker.limits.peeks_unseen else WAIT
                batch = self._broker.receive([self._name], limit=room, lease=LEASE, wait=wait)
                if all(one.id in self._held for one in batch):
                    self._held |= {one.id: one for one in batch}  # the newer receipts
                    break
                self._in_hand = list(batch)
                self._take(half_time)
        finally:
            self._give_back([*self._in_hand, *self._held.values()])
        self._count_held()
        return self._tally

    def _count_held(self) -> None:
        if self._broker.limits.peeks_unseen and (held := self._broker.stats(self._name).leased):
            self._tally.held = held
            self._told(self._tally)

    def _room(self) -> int:
        if self._limit is None:
            return self._batch
        return min(self._batch, self._limit - self._tally.done)

    def _wanted(self) -> bool:
        """Whether there may be more that is chosen."""
        return not self._chosen.ids or len(self._moved) < len(self._chosen.ids)

    def _take(self, until: float) -> None:
        while self._in_hand and self._room() > 0 and self._clock.monotonic() < until:
            letter = DeadLetter.of(self._in_hand[0])
            if self._leaves(letter):
                self._held[letter.delivery.id] = letter.delivery
            else:
                self._wait_for_turn()
                self._next_at = self._clock.monotonic() + self._pause
                self._act(letter)
            self._in_hand.pop(0)
            self._told(self._tally)
        self._give_back(self._in_hand)
        self._in_hand = []

    def _leaves(self, letter: DeadLetter) -> bool:
        """Whether a dead letter stays; counts why, once."""
        is_new = letter.delivery.id not in self._held
        if not self._chosen.has(letter):
            self._tally.left += is_new
        elif self._puts_back and self._has_died_again(letter):
            self._tally.died_again += is_new
        elif self._puts_back and self._has_expired(letter):
            self._tally.expired += is_new
        else:
            return letter.id in self._tally.refused
        return True

    def _has_died_again(self, letter: DeadLetter) -> bool:
        if letter.message is not None:
            return letter.id in self._moved
        return (letter.reason.died_at or 0.0) > self._began_at

    def _has_expired(self, letter: DeadLetter) -> bool:
        expires = letter.message.expires if letter.message else None
        return expires is not None and expires <= self._clock.now()

    def _act(self, letter: DeadLetter) -> None:
        if self._puts_back and (why := self._send(letter)):
            self._tally.refused[letter.id] = why
            self._held[letter.delivery.id] = letter.delivery
            return
        self._moved.add(letter.id)
        self._delete(letter)
        self._tally.done += 1

    def _send(self, letter: DeadLetter) -> str:
        """Put it back; why that isn't sure, or nothing."""
        try:
            (answer,) = self._broker.send(letter.source, [put_back(letter)])
        except MessageTooLargeError as error:
            answer = NotSent(str(error), retryable=False)
        if isinstance(answer, Sent):
            return ""
        why = answer.why if isinstance(answer, NotSent) else f"it may have been put back: {answer.why}"
        logger.warning("not put back: %s", why, extra=_extra("redrive_refused", letter))
        return why

    def _delete(self, letter: DeadLetter) -> None:
        answer = self._acked(letter)
        for _ in range(ACKS - 1):
            answer = self._acked(letter) if isinstance(answer, Unknown) else answer
        if isinstance(answer, Settled):
            action = "message_redriven" if self._puts_back else "dead_letter_deleted"
            logger.info("%s", "put back" if self._puts_back else "deleted", extra=_extra(action, letter))
            return
        self._tally.doubtful += 1
        why = answer.why if isinstance(answer, Unknown) else "its lease had ended"
        logger.warning(
            "perhaps still in its dead-letter queue: %s", why, extra=_extra("dead_letter_doubtful", letter)
        )

    def _acked(self, letter: DeadLetter) -> Answer:
        try:
            (answer,) = self._broker.ack([letter.delivery])
        except BrokerError as error:
            return Unknown(str(error))
        return answer

    def _wait_for_turn(self) -> None:
        if (left := self._next_at - self._clock.monotonic()) > 0:
            self._clock.sleep(left)

    def _give_back(self, deliveries: list[Delivery]) -> None:
        if not deliveries:
            return
        try:
            self._broker.release([Release(one, is_counted=False) for one in deliveries])
        except BrokerError as error:
            logger.warning(
                "%d dead letters can't be seen until their leases end, in %g s at most: %s",
                len(deliveries),
                LEASE,
                error,
                extra={"action": "give_back_failed", "queue": self._name},
            )


def _extra(action: str, letter: DeadLetter) -> dict[str, str]:
    return {"action": action, "queue": letter.source, "task": letter.task, "message_id": letter.id}
