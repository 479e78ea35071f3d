"""Where calls go, and what is said of those that weren't taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from cloudq.delivery import Accepted, NotSent, Outgoing, Sent
from cloudq.errors import CloudqError, MessageTooLargeError, NotAcceptedError

__all__ = ["Place", "failure", "failures"]

Put = Callable[[Sequence[Outgoing]], list[Accepted]]


class Place(NamedTuple):
    """A queue on the broker, or a topic."""

    name: str
    is_topic: bool = False

    def __str__(self) -> str:
        return f"{'topic' if self.is_topic else 'queue'} {self.name!r}"


def failure(
    place: Place, messages: Sequence[Outgoing], answers: Sequence[Accepted]
) -> NotAcceptedError | None:
    """What to raise where messages weren't all surely taken."""
    if all(type(answer) is Sent for answer in answers) and len(answers) == len(messages):
        return None
    failed = [
        (one, answer) for one, answer in zip(messages, answers, strict=True) if not isinstance(answer, Sent)
    ]
    message, answer = failed[0]
    may_be_sent = any(not isinstance(one, NotSent) for _, one in failed)
    words = "was not taken" if isinstance(answer, NotSent) else "may or may not have been taken"
    return NotAcceptedError(
        f"{len(failed)} of {len(messages)} messages for {place} failed: {message.id} {words}: {answer.why}",
        queue=None if place.is_topic else place.name,
        may_be_sent=may_be_sent,
    )


def failures(
    place: Place, groups: Sequence[Sequence[Outgoing]], put: Put
) -> list[CloudqError | NotAcceptedError | None]:
    """Send several callers' messages together; of each caller what to raise, or None."""
    try:
        answers = iter(put([one for group in groups for one in group]))
    except MessageTooLargeError as error:
        if len(groups) == 1:
            return [error]
        # One message is too large, and so none was sent: the others' callers must not pay for it.
        return [found for group in groups for found in failures(place, [group], put)]
    except CloudqError as error:
        return [error] * len(groups)
    return [failure(place, group, [next(answers) for _ in group]) for group in groups]
