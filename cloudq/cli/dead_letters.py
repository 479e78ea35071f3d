"""Dead letters as commands show them, and how far a redrive has come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import click

from cloudq.app import App
from cloudq.cli.messages import body_of, call_of, shortened
from cloudq.cli.output import counted, instant, print_json, print_table, seconds
from cloudq.dead_letters import DeadLetter, DeadLetters, Tally

__all__ = ["Progress", "document_of", "full_document_of", "print_letter", "print_letters"]

_COUNTS = {
    "left": "left, not chosen",
    "died_again": "left, dead again already",
    "expired": "left, expired",
    "doubtful": "perhaps not deleted, and may come a second time",
    "held": "held by another command or one that was killed: seen again in two minutes at most",
}


def document_of(letter: DeadLetter, now: float) -> dict[str, Any]:
    """A dead letter for programs."""
    reason = letter.reason
    return {
        "queue": letter.source,
        "dead_letter_queue": letter.delivery.queue,
        "id": letter.id,
        "task": letter.task or None,
        "reason": reason.code or None,
        "text": reason.text,
        "error": reason.error,
        "failures": reason.failures,
        "receive_count": reason.receive_count,
        "died_at": None if reason.died_at is None else instant(reason.died_at),
        "age": None if reason.died_at is None else max(0.0, now - reason.died_at),
    }


def full_document_of(letter: DeadLetter, traceback: str, now: float) -> dict[str, Any]:
    """A dead letter for programs, with its message and all of its traceback."""
    delivery = letter.delivery
    return {
        **document_of(letter, now),
        "call": call_of(delivery, letter.message) if letter.message else None,
        "generation": letter.message.generation if letter.message else None,
        "sent_at": None if delivery.sent_at is None else instant(delivery.sent_at),
        "group": delivery.group,
        "attributes": dict(delivery.attributes),
        "body": body_of(delivery),
        "traceback": traceback,
    }


def print_letters(letters: Sequence[DeadLetter], now: float) -> None:
    """Dead letters for people, a line each."""
    head = ("queue", "id", "task", "reason", "text", "failures", "receives", "age")
    print_table(head, [_row(one, now) for one in letters])


def print_letter(document: dict[str, Any]) -> None:
    """One dead letter for people, of its full document."""
    aside = ("age", "traceback", "body")
    for name, value in document.items():
        if name not in aside and value not in (None, "", {}):
            click.echo(f"{name.replace('_', ' '):<17} {value}")
    if document["traceback"]:
        click.echo("\n" + document["traceback"].rstrip())
    click.echo("")
    print_json(document["body"])


def _row(letter: DeadLetter, now: float) -> Sequence[object]:
    reason = letter.reason
    age = None if reason.died_at is None else seconds(max(0.0, now - reason.died_at))
    text = shortened(reason.error or reason.text)
    counts = (reason.failures, reason.receive_count)
    return (letter.source, letter.id, letter.task, reason.code, text, *counts, age)


class Progress:
    """What a command has done to dead letters: told meanwhile on a terminal, and in the end in any case.

    Args:
        app: Whose they are.
        places: Where they are.
        key: What is done to them: `redriven`, `deleted`.
        as_json: Whether the end is told as JSON.
    """

    def __init__(self, app: App, places: Sequence[DeadLetters], *, key: str, as_json: bool) -> None:
        self._key, self._as_json = key, as_json
        self._tallies: dict[str, Tally] = {}
        self._shows = sys.stderr.isatty() and not as_json
        self._total = sum(app.broker.stats(place.name).ready for place in places) if self._shows else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shows and self._tallies:
            click.echo("", err=True)
        if not self._as_json:
            click.echo(f"{self._words()}.")
            for one in self._refused():
                click.echo(f"Not taken: {one['id']}: {one['why']}", err=True)
        elif error is None:
            print_json(self._document())

    def has_room(self, limit: int | None) -> bool:
        """Whether fewer than `limit` are done."""
        return limit is None or self._done() < limit

    def rest(self, limit: int | None) -> int | None:
        """How many are left to do of `limit`."""
        return None if limit is None else limit - self._done()

    def of(self, place: DeadLetters) -> Callable[[Tally], None]:
        """What is to be called with each step in one place."""

        def tell(tally: Tally) -> None:
            self._tallies[place.name] = tally
            if self._shows:
                click.echo(f"\r{self._words()}, of about {self._total} ", nl=False, err=True)

        return tell

    def _done(self) -> int:
        return sum(tally.done for tally in self._tallies.values())

    def _count(self, name: str) -> int:
        return sum(getattr(tally, name) for tally in self._tallies.values())

    def _refused(self) -> list[dict[str, str]]:
        pairs = [pair for tally in self._tallies.values() for pair in tally.refused.items()]
        return [{"id": one, "why": why} for one, why in pairs]

    def _words(self) -> str:
        done = "put back" if self._key == "redriven" else "deleted"
        parts = [f"{counted(self._done(), 'dead letter')} {done}"]
        parts += [f"{count} {words}" for name, words in _COUNTS.items() if (count := self._count(name))]
        if refused := self._refused():
            parts.append(f"{len(refused)} not taken by their queue")
        return "; ".join(parts)

    def _document(self) -> dict[str, Any]:
        counts = {name: self._count(name) for name in _COUNTS}
        return {self._key: self._done(), **counts, "refused": self._refused()}
