"""`cloudq task`: which tasks there are, calling one, and what became of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import click

from cloudq.app import App
from cloudq.cli.commands import unknown
from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import instant, print_json, print_table
from cloudq.errors import ConfigurationError, ResultError, UnknownTaskError
from cloudq.results import AsyncResult, Record
from cloudq.tasks import Task

__all__ = ["task"]

_LONG = 60.0
"""Seconds that a bare --wait waits."""


@click.group()
def task() -> None:
    """List tasks, call one, see what became of it."""


@task.command("list")
@app_options
@json_option
def list_(source: AppSource, *, as_json: bool) -> None:
    r"""List the app's tasks.

    \b
    cloudq task list -A shop.tasks
    """
    app = source.open()
    rows = [_described(app, one) for _, one in sorted(app.tasks.items())]
    if as_json:
        print_json({"tasks": rows})
    else:
        head = ("name", "queue", "retries", "time_limit")
        print_table([name.replace("_", " ") for name in head], [[row[name] for name in head] for row in rows])


class _Call(click.Command):
    """Says what to do where an argument that begins with a minus was taken for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not error.option_name[1:2].isdigit():
                raise
            raise click.UsageError(
                f"{error.option_name} was taken for an option: put -- before arguments that begin with a "
                "minus, and options before it: `cloudq task call shop.tasks.add -A shop.tasks -- -1 2`.",
                ctx,
            ) from error


@task.command(cls=_Call)
@click.argument("name")
@click.argument("words", metavar="[ARG]...", nargs=-1)
@click.option("--args", "args", metavar="JSON", help="Positional arguments, as a JSON array.")
@click.option("--kwargs", metavar="JSON", help="Named arguments, as a JSON object.")
@click.option("--queue", metavar="NAME", help="Send it to another queue than the task's.")
@click.option(
    "--priority", type=click.IntRange(min=0), help="One of its queue's levels; the highest goes first."
)
@click.option("--countdown", type=click.FloatRange(min=0), metavar="SECONDS", help="Run it no sooner.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    is_flag=False,
    flag_value=_LONG,
    metavar="[SECONDS]",
    help=f"Wait for the result; {_LONG:g} seconds unless said otherwise.",
)
@app_options
@json_option
def call(  # noqa: PLR0913 - each is an option of the command
    source: AppSource,
    name: str,
    words: Sequence[str],
    *,
    args: str | None,
    kwargs: str | None,
    queue: str | None,
    priority: int | None,
    countdown: float | None,
    wait: float | None,
    as_json: bool,
) -> None:
    r"""Send a call of a task.

    An ARG that is JSON is taken as such (1, true, '"1"', '[1, 2]'), any other as text.

    \b
    cloudq task call shop.tasks.add 1 2 -A shop.tasks
    cloudq task call shop.tasks.add -A shop.tasks -- -1 -2
    cloudq task call shop.tasks.send_email --kwargs '{"user_id": 1}' -A shop.tasks --wait=10
    """
    app = source.open()
    called = _find(app, name)
    if wait is not None and app.results is None:
        raise ConfigurationError(
            "--wait needs a result backend: set result_backend (CLOUDQ_RESULT_BACKEND), for example to "
            "sqlite:///results.db. Nothing was sent."
        )
    if not app.broker.limits.is_shared:
        raise ConfigurationError(
            f"{app.conf.settings.broker_url} ends with this process: nobody would run the call. Nothing was "
            "sent."
        )
    positional, named = called.parameters.read(
        [*_positional(args), *map(_value, words)], _parsed("--kwargs", kwargs, dict) if kwargs else {}
    )
    result = called.apply_async(positional, named, queue=queue, priority=priority, countdown=countdown)
    sent = {"id": result.id, "task": name, "queue": queue or app.queue_of(called)}
    if wait is None:
        _say(sent, as_json=as_json)
        return
    if not as_json:
        click.echo(f"Sent {result.id} to queue {sent['queue']}; waiting for {wait:g} s at most.", err=True)
    _say_result(result, wait, sent, as_json=as_json)


@task.command()
@click.argument("id")
@app_options
@json_option
def show(source: AppSource, id: str, *, as_json: bool) -> None:
    r"""Show what is known of a call, by its id.

    \b
    cloudq task show 0193e0d5-5f0c-7c3a-9c1e-2f1f0b8d7a11 -A shop.tasks
    """
    app = source.open_or_connect()
    results = app.results
    if results is None:
        raise ConfigurationError(
            "No result backend is configured, so nothing is known of calls: set result_backend "
            "(CLOUDQ_RESULT_BACKEND)."
        )
    record = results.load(id)
    if record is None:
        raise ResultError(
            f"Nothing is known of {id}: it waits for its first run, its record has expired, or there is no "
            "such call.",
            id=id,
        )
    if as_json:
        print_json({"id": id, **dataclasses.asdict(record)})
    else:
        _print_record(id, record)


def _find(app: App, name: str) -> Task[..., Any]:
    found = app.tasks.get(name)
    if found is None:
        raise UnknownTaskError(unknown("task", name, list(app.tasks)), task=name)
    return found


def _described(app: App, one: Task[..., Any]) -> dict[str, Any]:
    return {
        "name": one.name,
        "queue": app.queue_of(one),
        "retries": one.options.policy.retries,
        "time_limit": one.options.time_limit,
    }


def _positional(text: str | None) -> list[Any]:
    return _parsed("--args", text, list) if text else []


def _parsed(option: str, text: str, kind: type[Any]) -> Any:
    words = {list: "array", dict: "object"}[kind]
    try:
        value = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} isn't JSON: {error}", param_hint=option) from error
    if not isinstance(value, kind):
        raise click.BadParameter(f"{text!r} is no JSON {words}", param_hint=option)
    return value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _say(sent: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(sent)
    else:
        click.echo(f"Sent {sent['id']} to queue {sent['queue']}.")


def _say_result(result: AsyncResult[Any], wait: float, sent: dict[str, Any], *, as_json: bool) -> None:
    result.get(wait)
    value = result.record.result
    if as_json:
        print_json({**sent, "state": "SUCCESS", "result": value})
    else:
        click.echo(json.dumps(value, ensure_ascii=False))


def _print_record(id: str, record: Record) -> None:
    fields = {
        "id": id,
        "task": record.task,
        "state": record.state,
        "at": instant(record.at),
        "attempt": record.attempt,
        "failures": record.failures,
        "progress": " ".join(map(str, record.progress)),
        "error": record.error,
    }
    for name, value in fields.items():
        if value != "":
            click.echo(f"{name:<9} {value}")
    if record.state == "SUCCESS":
        click.echo(f"{'result':<9} {json.dumps(record.result, ensure_ascii=False)}")
    if record.traceback:
        click.echo("\n" + record.traceback.rstrip())
