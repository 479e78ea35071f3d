"""What the emulator says when it has started."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from cloudq_emulator import environment
from cloudq_emulator.page.functions import functions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudq_emulator.running import Options
    from cloudq_emulator.server import Server

_NAMED: Final = 12
"""Names told of a kind: a kept folder may hold thousands of queues."""


def announce(server: Server, options: Options) -> None:
    """Print where it listens, what is there, and what to export.

    With a command all goes to stderr: the command's own output is what is wanted on stdout.
    """
    if options.as_json:
        click.echo(json.dumps(_as_json(server)), err=bool(options.command))
        return
    settings = environment.settings(server.endpoint)
    lines = [
        f"cloudq emulate: {server.endpoint}, {_kept(server, options)}, account {options.account}",
        *_clock(server),
        *_named("queues", _queue_names(server)),
        *_named("functions", _function_names()),
    ]
    if not options.command:
        lines += [f"  export {name}={value}" for name, value in settings.items()]
        lines.append("Ctrl-C stops it.")
    click.echo("\n".join(lines), err=bool(options.command))


def _as_json(server: Server) -> dict[str, object]:
    return {
        "endpoint": server.endpoint,
        "port": server.port,
        "environment": environment.settings(server.endpoint),
        "clock": str(server.clock_file.path),
        "restored": server.restored and dataclasses.asdict(server.restored),
        "queues": _queue_names(server),
        "functions": _function_names(),
    }


def _queue_names(server: Server) -> list[str]:
    return sorted(queue.name for queue in server.sqs.registry)


def _function_names() -> list[str]:
    return sorted(function.name for function in functions())


def _named(kind: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"  {kind}: {', '.join(names[:_NAMED])}{more}"]


def _clock(server: Server) -> list[str]:
    """What it was moved to in its last run, if it was: everything that is kept lives by it."""
    clock = server.clock
    if clock.is_real:
        return []
    shown = datetime.fromtimestamp(clock.now(), UTC).isoformat(sep=" ", timespec="seconds")
    course = (
        " and stands still"
        if clock.frozen
        else f", at {clock.scale:g} times the pace"
        if clock.scale != 1
        else ""
    )
    return [f"  clock: {shown}{course}, as it was moved; a reset empties all and makes it real"]


def _kept(server: Server, options: Options) -> str:
    restored = server.restored
    if restored is None:
        return "all in memory"
    if not restored.queue_count:
        return f"SQS kept in {options.data} and empty so far, all else in memory"
    queues, messages = _number(restored.queue_count, "queue"), _number(restored.message_count, "message")
    again = ", the template's stack made again" if options.template else ""
    return f"{queues} and {messages} restored from {options.data}{again}, all else empty and in memory"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
