"""A dead-letter queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from cloudq.app import App
from cloudq.brokers.base import Broker, Inspector
from cloudq.dead_letters.letters import Chosen, DeadLetter
from cloudq.dead_letters.walk import Tally, Walk
from cloudq.errors import UnsupportedError
from cloudq.queues import dead_letter_name, is_dead_letter

__all__ = ["DeadLetters"]

SCAN = 10_000
"""Dead letters of one queue that are looked at, to find those that were chosen."""


class DeadLetters:
    """One dead-letter queue.

    Args:
        app: Whose broker it is on.
        queue: It, or the queue whose dead letters it has.
    """

    def __init__(self, app: App, queue: str) -> None:
        self.name = queue if is_dead_letter(queue) else dead_letter_name(queue)
        self._app = app

    def look(self, chosen: Chosen, limit: int) -> list[DeadLetter]:
        """Look at dead letters without taking them; the broker says what that costs (`Inspector.peek`).

        Args:
            chosen: Which; of those that don't fit, up to `SCAN` are passed over.
            limit: At most this many.
        """
        asked = limit if chosen.is_everything else SCAN
        letters = map(DeadLetter.of, _inspector(self._app.broker).peek(self.name, asked))
        return [letter for letter in letters if chosen.has(letter)][:limit]

    def traceback(self, letter: DeadLetter) -> str:
        """The whole traceback: the result backend's, where the dead letter had no room for it."""
        results, message = self._app.results, letter.message
        record = results.load(message.id) if results is not None and message is not None else None
        if record is None or message is None or record.generation != message.generation:
            return letter.reason.traceback
        return max(letter.reason.traceback, record.traceback, key=len)

    def redrive(
        self,
        chosen: Chosen,
        *,
        limit: int | None = None,
        rate: float | None = None,
        told: Callable[[Tally], object] = lambda _: None,
    ) -> Tally:
        """Put dead letters back where they came from, for their attempts to start anew.

        What was put back is a message of a new generation without failures and without the reason; a body
        that is no message goes back as it is.

        Args:
            chosen: Which. In a FIFO queue it reaches no further than the first message that it leaves of
                each group.
            limit: At most so many.
            rate: At most so many a second.
            told: Called with what was done, after each step.

        Raises:
            BrokerError: The broker can't be reached or has no such queue; what was done until then is done.
        """
        return Walk(self._app, self.name, chosen, limit, rate, told, puts_back=True).run()

    def delete(
        self, chosen: Chosen, *, limit: int | None = None, told: Callable[[Tally], object] = lambda _: None
    ) -> Tally:
        """Delete dead letters. There is no way back.

        Raises:
            BrokerError: As `redrive`.
        """
        return Walk(self._app, self.name, chosen, limit, None, told, puts_back=False).run()


def _inspector(broker: Broker) -> Inspector:
    """A broker as what looks into its queues.

    Raises:
        UnsupportedError: It can't.
    """
    if not hasattr(broker, "peek"):
        raise UnsupportedError("This broker can't look into its queues.")
    return cast("Inspector", broker)
