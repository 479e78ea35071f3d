"""`cloudq dlq`: what was given up on; putting it back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any

import click

from cloudq.app import App
from cloudq.cli.commands import unknown
from cloudq.cli.dead_letters import Progress, document_of, full_document_of, print_letter, print_letters
from cloudq.cli.failures import MisuseError
from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import counted, print_json
from cloudq.dead_letters import Chosen, DeadLetter, DeadLetters
from cloudq.errors import QueueNotFoundError, ResultError
from cloudq.queues import dead_letter_name, source_name

__all__ = ["dlq"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group()
def dlq() -> None:
    """Look at what was given up on; put it back."""


class _Since(click.ParamType[float]):
    """A time, or how long ago: as seconds since the epoch, or as a negative number of seconds."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if ago := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", value):
            return -float(ago[1]) * _UNITS[ago[2]]
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a time (2026-11-21T10:00:00Z) nor a span (90s, 30m, 2h, 7d).")
        if at.tzinfo is None:
            self.fail(f"{value!r} names no offset from UTC: write {value}Z, or {value}+01:00.", param, ctx)
        return at.timestamp()


def _choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that choose dead letters, as one parameter `choice`."""

    @click.option("--task", metavar="NAME", help="Of this task alone; a glob, too: 'shop.*'.")
    @click.option("--reason", metavar="CODE", help="With this reason alone: failed, poison, bad_body, …")
    @click.option("--id", "ids", metavar="ID", multiple=True, help="This one alone; may be repeated.")
    @click.option(
        "--since", type=_Since(), metavar="WHEN", help="Died since then: a time, or 90s, 30m, 2h, 7d."
    )
    @wraps(command)
    def with_choice(
        *args: Any,
        task: str | None,
        reason: str | None,
        ids: Sequence[str],
        since: float | None,
        **kwargs: Any,
    ) -> Any:
        def choice(now: float) -> Chosen:
            at = since if since is None or since >= 0 else now + since
            return Chosen(task=task, reason=reason, ids=frozenset(ids), since=at)

        return command(*args, choice=choice, **kwargs)

    return with_choice


@dlq.command("list", short_help="List dead letters with what they died of.")
@click.argument("names", metavar="[QUEUE]...", nargs=-1)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@_choosing
@app_options
@json_option
def list_(
    source: AppSource, names: Sequence[str], *, limit: int, choice: Callable[[float], Chosen], as_json: bool
) -> None:
    r"""List dead letters: of the queues named, else of all that the app has.

    A queue is named by its own name or by its dead-letter queue's.

    \b
    cloudq dlq list -A shop.tasks
    cloudq dlq list emails --reason failed --since 2h -A shop.tasks
    """
    app = source.open_to_look()
    chosen, letters = choice(app.clock.now()), list[DeadLetter]()
    for place in _places(app, source, names):
        letters += place.look(chosen, limit - len(letters))
        if len(letters) >= limit:
            break
    if as_json:
        print_json({"dead_letters": [document_of(one, app.clock.now()) for one in letters]})
        return
    print_letters(letters, app.clock.now())
    if len(letters) == limit:
        click.echo(f"The first {limit}; --limit shows more.", err=True)


@dlq.command(short_help="Show all that is known of one dead letter.")
@click.argument("names", metavar="[QUEUE]...", nargs=-1)
@click.argument("id")
@app_options
@json_option
def show(source: AppSource, names: Sequence[str], id: str, *, as_json: bool) -> None:
    r"""Show all that is known of one dead letter: why it died, the traceback, the original message.

    \b
    cloudq dlq show 0193e0d5-5f0c-7c3a-9c1e-2f1f0b8d7a11 -A shop.tasks
    cloudq dlq show emails 0193e0d5-5f0c-7c3a-9c1e-2f1f0b8d7a11 -A shop.tasks
    """
    app = source.open_to_look()
    places = _places(app, source, names)
    wanted = Chosen(ids=frozenset({id}))
    found = next(((place, letter) for place in places for letter in place.look(wanted, 1)), None)
    if found is None:
        looked = ", ".join(place.name for place in places) or "no queue"
        raise ResultError(f"There is no dead letter {id} (looked into: {looked}).", id=id)
    place, letter = found
    document = full_document_of(letter, place.traceback(letter), app.clock.now())
    if as_json:
        print_json(document)
    else:
        print_letter(document)


@dlq.command(short_help="Put dead letters back where they came from.")
@click.argument("names", metavar="[QUEUE]...", nargs=-1)
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="At most so many a second.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@_choosing
@app_options
@json_option
def redrive(
    source: AppSource,
    names: Sequence[str],
    *,
    rate: float | None,
    limit: int | None,
    choice: Callable[[float], Chosen],
    as_json: bool,
) -> None:
    r"""Put dead letters back where they came from, for their attempts to start anew.

    Of the queues named, else of all that the app has. Each is sent first and deleted then: a redrive that is
    interrupted loses nothing, and can be made again. What has expired stays.

    \b
    cloudq dlq redrive emails -A shop.tasks
    cloudq dlq redrive --task 'shop.mail.*' --reason failed --since 2h --rate 10 -A shop.tasks
    """
    app = source.open_to_look()
    chosen = choice(app.clock.now())
    with Progress(app, places := _places(app, source, names), key="redriven", as_json=as_json) as progress:
        for place in places:
            if progress.has_room(limit):
                rest, told = progress.rest(limit), progress.of(place)
                place.redrive(chosen, limit=rest, rate=rate, told=told)


@dlq.command(short_help="Delete dead letters.")
@click.argument("names", metavar="[QUEUE]...", nargs=-1)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@_choosing
@app_options
@json_option
def purge(
    source: AppSource,
    names: Sequence[str],
    *,
    limit: int | None,
    yes: bool,
    choice: Callable[[float], Chosen],
    as_json: bool,
) -> None:
    r"""Delete dead letters. There is no way back.

    Of the queues named, else of all that the app has.

    \b
    cloudq dlq purge emails -A shop.tasks
    cloudq dlq purge emails --reason bad_body -A shop.tasks
    """
    app = source.open_to_look()
    chosen, places = choice(app.clock.now()), _places(app, source, names)
    if not yes:
        if as_json:
            raise click.UsageError("With --json nobody can be asked: say --yes.")
        held = sum(app.broker.stats(place.name).ready for place in places)
        which = "all" if chosen.is_everything and limit is None else "the chosen ones"
        of = f"{which} of the {counted(held, 'dead letter')}" if held != 1 else "the dead letter"
        click.confirm(f"Delete {of} in {', '.join(place.name for place in places)}?", abort=True)
    with Progress(app, places, key="deleted", as_json=as_json) as progress:
        for place in places:
            if progress.has_room(limit):
                place.delete(chosen, limit=progress.rest(limit), told=progress.of(place))


def _places(app: App, source: AppSource, names: Sequence[str]) -> list[DeadLetters]:
    """The dead-letter queues that a command is about, those that there are."""
    given = names or (list(app.queues) if source.spec else _sources(app))
    places = list({place.name: place for place in (DeadLetters(app, name) for name in given)}.values())
    return [place for place in places if _exists(app, place, is_named=bool(names))]


def _sources(app: App) -> list[str]:
    names = getattr(app.broker, "queues", list[str])()
    return [name for name in names if dead_letter_name(name) in names]


def _exists(app: App, place: DeadLetters, *, is_named: bool) -> bool:
    try:
        app.broker.stats(place.name)
    except QueueNotFoundError as error:
        known = sorted({*app.queues, *_sources(app)})
        name = source_name(place.name)
        if is_named and name not in known:
            raise MisuseError(unknown("queue", name, known)) from error
        return False
    return True
