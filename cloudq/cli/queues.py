"""`cloudq queue`: how full queues are, which there are; emptying one, pausing one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

import click

from cloudq.app import App
from cloudq.brokers.base import Inspector, QueueStats
from cloudq.cli.commands import unknown
from cloudq.cli.failures import MisuseError
from cloudq.cli.messages import message_document, print_messages
from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import counted, print_json
from cloudq.cli.queue_tables import Counts, options_of, print_counts, print_options, unknown_options
from cloudq.delivery import Delivery
from cloudq.errors import CloudqError, ConfigurationError, QueueNotFoundError, UnsupportedError
from cloudq.queues import base_name, dead_letter_name, is_dead_letter, priority_of

__all__ = ["queue"]


@click.group()
def queue() -> None:
    """Look into queues; empty them, pause them."""


@queue.command(short_help="Count the messages of queues.")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@app_options
@json_option
def stats(source: AppSource, names: Sequence[str], *, as_json: bool) -> None:
    r"""Count the messages of queues: of those named, else of all that the app has.

    READY wait to be received, LEASED are being worked on, DELAYED aren't due, DEAD were given up on. OLDEST
    is how long the first ready message has waited, where the broker says. On SQS the counts are approximate.
    A queue with priorities is counted as a whole, and below that level by level.

    \b
    cloudq queue stats -A shop.tasks
    cloudq queue stats emails reports --broker sqs://eu-central-1?prefix=shop-
    """
    app = source.open_to_look()
    asked = names or _all(app, source)
    paused = set[str]() if app.pauses is None else app.pauses.among(asked)
    found = [
        Counts(name, _levels(app, name, is_named=bool(names)), is_paused=name in paused) for name in asked
    ]
    if as_json:
        print_json({"queues": [one.document() for one in found]})
    else:
        print_counts(found)


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
    paused = set[str]() if app.pauses is None else app.pauses.among(own)
    rows = [options_of(app, name, is_paused=name in paused) for name in own]
    rows += [unknown_options(name) for name in _besides(app, own)]
    if as_json:
        print_json({"queues": rows})
    else:
        print_options(rows)


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
    seen: list[Delivery] = []
    for level in _made(app, name):
        if len(seen) < limit:
            seen += _inspector(app).peek(level, limit - len(seen))
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
    levels = _made(app, name)
    counts = app.stats(name)
    held = counts.ready + counts.leased + counts.delayed
    if not yes:
        if as_json:
            raise click.UsageError("With --json nobody can be asked: say --yes.")
        click.confirm(f"Delete {counted(held, 'message')} of queue {name!r}?", abort=True)
    for level in levels:
        inspector.purge(level)
    if as_json:
        print_json({"queue": name, "deleted": held})
    else:
        click.echo(f"Queue {name!r} is empty: {counted(held, 'message')} deleted.")


@queue.command(short_help="Let workers receive nothing more from queues.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@app_options
@json_option
def pause(source: AppSource, names: Sequence[str], *, as_json: bool) -> None:
    r"""Let workers receive nothing more from queues, until they are resumed.

    Within two seconds workers begin nothing more from them: what runs ends, what they hold beside goes back.
    What is sent meanwhile waits. A pause is kept in the result backend, and outlives restarts.

    \b
    cloudq queue pause emails -A shop.tasks
    """
    _set_paused(source, names, as_json=as_json, pauses=True)


@queue.command(short_help="Let workers receive from paused queues again.")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@app_options
@json_option
def resume(source: AppSource, names: Sequence[str], *, as_json: bool) -> None:
    r"""Let workers receive from paused queues again.

    \b
    cloudq queue resume emails -A shop.tasks
    """
    _set_paused(source, names, as_json=as_json, pauses=False)


def _set_paused(source: AppSource, names: Sequence[str], *, as_json: bool, pauses: bool) -> None:
    app = source.open_to_look()
    found = app.pauses
    if found is None or app.conf.settings.result_backend.startswith("memory:"):
        raise ConfigurationError(
            "A pause is kept in the result backend, and none is configured that workers share: set "
            "result_backend (CLOUDQ_RESULT_BACKEND, App(backend=...))."
        )
    for name in names:
        _refuse_pause(app, name)
    for name in names:
        (found.pause if pauses else found.resume)(name)
    if as_json:
        print_json({"queues": [{"name": name, "paused": pauses} for name in names]})
        return
    for name in names:
        click.echo(f"Queue {name!r} is {'paused' if pauses else 'resumed'}.")


def _refuse_pause(app: App, name: str) -> None:
    known = list(app.queues) if app.tasks else []
    if base_name(name) != name:
        raise MisuseError(f"{name!r} is a level of priority: pause queue {base_name(name)!r} as a whole.")
    if name not in known and (known or name not in _on_broker(app)):
        raise MisuseError(unknown("queue", name, sorted({*known, *_on_broker(app)})))
    if app.conf.settings.broker_url.startswith("sqs:") and app.queue(name).consumer == "lambda":
        raise MisuseError(
            f"Queue {name!r} is emptied by a Lambda function, which no pause reaches: disable its event "
            "source mapping (aws lambda update-event-source-mapping --no-enabled)."
        )


def _all(app: App, source: AppSource) -> list[str]:
    """The queues that a command is about when none is named."""
    if source.spec:
        return list(app.queues)
    return [name for name in _inspector(app).queues() if not is_dead_letter(name)]


def _levels(app: App, name: str, *, is_named: bool) -> dict[int, QueueStats]:
    """A queue's counts by priority; none where the app has it and its broker not yet."""
    try:
        return app.level_stats(name)
    except QueueNotFoundError as error:
        if not is_named:
            return {}
        raise _no_queue(app, name, error) from error


def _made(app: App, name: str) -> list[str]:
    """The queues on the broker that a queue is: its levels, the highest first."""
    there = _levels(app, name, is_named=True)
    return [
        level.name
        for level in app.queue(name).levels
        if priority_of(level.name) in there or name == level.name
    ]


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
    return [name for name in found if base_name(name) not in own and not is_dead_letter(name)]


def _on_broker(app: App) -> set[str]:
    return set(_inspector(app).queues()) if hasattr(app.broker, "queues") else set()


def _inspector(app: App) -> Inspector:
    broker = app.broker
    if not hasattr(broker, "queues"):
        raise UnsupportedError("This broker can't list or purge queues: name the app with -A.")
    return cast("Inspector", broker)
