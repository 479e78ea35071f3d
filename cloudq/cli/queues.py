"""`cloudq queue`: how full queues are, which there are, and emptying one."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any, cast

import click

from cloudq.app import App
from cloudq.brokers.base import Inspector, QueueStats
from cloudq.cli.commands import unknown
from cloudq.cli.failures import MisuseError
from cloudq.cli.messages import message_document, print_messages
from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import counted, print_json, print_table, seconds
from cloudq.errors import CloudqError, QueueNotFoundError, UnsupportedError
from cloudq.queues import dead_letter_name, is_dead_letter

__all__ = ["queue"]


@click.group()
def queue() -> None:
    """Look into queues; empty them."""


@queue.command(short_help="Count the messages of queues.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@app_options
@json_option
def stats(source: AppSource, names: Sequence[str], *, as_json: bool) -> None:
    r"""Count the messages of queues: of those named, else of all that the app has.

    READY wait to be received, LEASED are being worked on, DELAYED aren't due, DEAD were given up on. OLDEST
    is how long the first ready message has waited, where the broker says. On SQS the counts are approximate.

    \b
    cloudq queue stats -A shop.tasks
    cloudq queue stats emails reports --broker sqs://eu-central-1?prefix=shop-
    """
    app = source.open_to_look()
    found = {name: _stats(app, name, is_named=bool(names)) for name in names or _all(app, source)}
    if as_json:
        print_json({"queues": [_document(name, stats) for name, stats in found.items()]})
    else:
        rows = [_row(name, stats) for name, stats in found.items()]
        print_table(("queue", "ready", "leased", "delayed", "dead", "oldest"), rows)


@queue.command("list", short_help="List queues with their options.")
@app_options
@json_option
def list_(source: AppSource, *, as_json: bool) -> None:
    r"""List the app's queues with their options, and those that its broker has besides.

    LEASE, MAX RECEIVES and DEAD LETTER are what the app says. What a queue on SQS was made with, by a
    template for example, may differ; workers go by the app.

    \b
    cloudq queue list -A shop.tasks
    """
    app = source.open_to_look()
    own = list(app.queues) if source.spec else []
    rows = [_options(app, name) for name in own]
    rows += [_unknown_options(name) for name in _besides(app, own)]
    if as_json:
        print_json({"queues": rows})
    else:
        head = ("name", "in_app", "consumer", "lease", "max_receives", "dead_letter", "tasks")
        shown = [_shown(row) for row in rows]
        print_table(
            [name.replace("_", " ") for name in head], [[row[name] for name in head] for row in shown]
        )


@queue.command(short_help="Show messages that wait in a queue.")
@click.argument("name")
@click.option("--limit", type=click.IntRange(min=1), default=10, show_default=True, help="At most so many.")
@app_options
@json_option
def peek(source: AppSource, name: str, *, limit: int, as_json: bool) -> None:
    r"""Show messages that are ready to be received, the next ones first, and leave them there.

    On SQS and RabbitMQ a look is a receive: for a moment nobody else sees these messages, and their receive
    counts may rise.

    \b
    cloudq queue peek emails -A shop.tasks
    """
    app = source.open_to_look()
    try:
        seen = _inspector(app).peek(name, limit)
    except QueueNotFoundError as error:
        raise _no_queue(app, name, error) from error
    if as_json:
        print_json({"queue": name, "messages": [message_document(one) for one in seen]})
    else:
        print_messages(seen, app.clock.now())


@queue.command(short_help="Delete all messages of a queue.")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@app_options
@json_option
def purge(source: AppSource, name: str, *, yes: bool, as_json: bool) -> None:
    r"""Delete all messages of a queue, those that are being worked on included. There is no way back.

    A dead-letter queue is a queue like any other: emails-dead.

    \b
    cloudq queue purge emails -A shop.tasks
    """
    app = source.open_to_look()
    inspector = _inspector(app)
    counts = _stats(app, name, is_named=True)
    held = 0 if counts is None else counts.ready + counts.leased + counts.delayed
    if not yes:
        if as_json:
            raise click.UsageError("With --json nobody can be asked: say --yes.")
        click.confirm(f"Delete {counted(held, 'message')} of queue {name!r}?", abort=True)
    inspector.purge(name)
    if as_json:
        print_json({"queue": name, "deleted": held})
    else:
        click.echo(f"Queue {name!r} is empty: {counted(held, 'message')} deleted.")


def _all(app: App, source: AppSource) -> list[str]:
    """The queues that a command is about when none is named."""
    if source.spec:
        return list(app.queues)
    return [name for name in _inspector(app).queues() if not is_dead_letter(name)]


def _stats(app: App, name: str, *, is_named: bool) -> QueueStats | None:
    """A queue's counts; None where the app has it and its broker not yet."""
    try:
        return app.broker.stats(name)
    except QueueNotFoundError as error:
        if not is_named:
            return None
        raise _no_queue(app, name, error) from error


def _no_queue(app: App, name: str, error: QueueNotFoundError) -> CloudqError | MisuseError:
    """What to raise where the broker has no such queue: of a name that the app doesn't know, the nearest."""
    known = {*app.queues, *(dead_letter_name(one) for one in app.queues)} if app.tasks else set[str]()
    if name in known:
        return error
    return MisuseError(unknown("queue", name, sorted(known | _on_broker(app))))


def _besides(app: App, own: Collection[str]) -> list[str]:
    """The queues that the broker has and the app doesn't; without an app they must be found."""
    try:
        found = _inspector(app).queues()
    except CloudqError as error:
        if not own:
            raise
        click.echo(f"The app's queues only, as its broker tells no others: {error}", err=True)
        return []
    return [name for name in found if name not in own and not is_dead_letter(name)]


def _on_broker(app: App) -> set[str]:
    return set(_inspector(app).queues()) if hasattr(app.broker, "queues") else set()


def _inspector(app: App) -> Inspector:
    broker = app.broker
    if not hasattr(broker, "queues"):
        raise UnsupportedError("This broker can't list or purge queues: name the app with -A.")
    return cast("Inspector", broker)


def _row(name: str, stats: QueueStats | None) -> Sequence[object]:
    if stats is None:
        return (name, None, None, None, None, "not made yet")
    return (name, stats.ready, stats.leased, stats.delayed, stats.dead, seconds(stats.oldest_age))


def _document(name: str, stats: QueueStats | None) -> dict[str, Any]:
    counts = dataclasses.asdict(stats) if stats is not None else {}
    return {"name": name, "exists": stats is not None, **counts}


def _options(app: App, name: str) -> dict[str, Any]:
    queue = app.queue(name)
    return {
        "name": name,
        "in_app": True,
        "consumer": queue.consumer,
        "lease": queue.lease_seconds,
        "max_receives": queue.max_receives,
        "dead_letter": queue.dead_letter,
        "tasks": sorted(task.name for task in app.tasks.values() if app.queue_of(task) == name),
    }


def _unknown_options(name: str) -> dict[str, Any]:
    unsaid = dict.fromkeys(("consumer", "lease", "max_receives", "dead_letter"))
    return {"name": name, "in_app": False, **unsaid, "tasks": []}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    in_app = "yes" if row["in_app"] else "no"
    return {**row, "in_app": in_app, "lease": seconds(row["lease"]), "tasks": len(row["tasks"])}
