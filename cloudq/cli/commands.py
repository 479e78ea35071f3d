"""The group behind `cloudq`: it loads a command's module when the command is called, and no sooner.

Other distributions add commands by the entry-point group `cloudq.commands`.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, cast

import click

from cloudq.cli.failures import FAILED, MISUSE, MisuseError, failure_of, show
from cloudq.config import environment
from cloudq.errors import CloudqError

__all__ = ["Commands"]

_GROUP = "cloudq.commands"

_OWN = {
    "config": ("cloudq.cli.config:config", "Show every setting and where it comes from."),
    "dlq": ("cloudq.cli.dlq:dlq", "Look at what was given up on; put it back."),
    "queue": ("cloudq.cli.queues:queue", "Look into queues; empty them."),
    "task": ("cloudq.cli.tasks:task", "List tasks, call one, see what became of it."),
    "worker": ("cloudq.cli.worker:worker", "Run an app's tasks."),
}
_PLUGINS = {
    "emulate": ("emulator", "Run a local cloud: SQS, Lambda, and moto for the rest."),
    "infra": ("infra", "Write the AWS template of an app, and check it."),
}
"""The commands of cloudq's own extras: which extra, and the line that the help shows without loading it."""


class Commands(click.Group):
    """Lists commands without importing them, and tells every failure in one way."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:
        """Run a command line, and end the process with its exit code."""
        words = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False  # else click would print errors in its own way
        color = extra.setdefault("color", False if environment("NO_COLOR") else None)
        try:
            code: object = super().main(words, *rest, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.message, err=True)
            sys.exit(MISUSE)
        except click.exceptions.Abort:
            click.echo("Stopped.", err=True)
            sys.exit(FAILED)
        except (CloudqError, click.ClickException) as error:
            failure = failure_of(error)
            show(failure, as_json=_wants_json(words), color=color)
            sys.exit(failure.code)
        sys.exit(code if isinstance(code, int) else 0)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _unwrapped(self)
        super().format_help(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted([*_OWN, *_plugins()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        if cmd_name in _OWN:
            module, _, name = _OWN[cmd_name][0].partition(":")
            return _unwrapped(getattr(importlib.import_module(module), name))
        plugin = _plugins().get(cmd_name)
        return None if plugin is None else _unwrapped(_loaded(cmd_name, plugin))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest names where there is no such command."""
        if args and not args[0].startswith("-") and args[0] not in (known := self.list_commands(ctx)):
            raise click.UsageError(unknown("command", args[0], known), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _short_help(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _unwrapped(command: click.Command) -> click.Command:
    """A command whose help shows examples line by line.

    Click's mark for that is a backspace in the docstring; ours are raw and have a backslash and a b.
    """
    if command.help:
        command.help = command.help.replace("\\b\n", "\b\n")
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _unwrapped(one)
    return command


def unknown(kind: str, name: str, known: Sequence[str]) -> str:
    """A sentence about a name that isn't known: the nearest one, else all.

    Args:
        kind: What it should be the name of: `queue`.
        name: What was given.
        known: What there is.
    """
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"There is no {kind} {name!r}. Did you mean {near[0]}?"
    listed = ", ".join(sorted(known)[:10]) or "none"
    return f"There is no {kind} {name!r}. There are: {listed}{', …' if len(known) > 10 else ''}."


@functools.cache
def _plugins() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=_GROUP)}


def _loaded(name: str, plugin: Any) -> click.Command:
    try:
        return cast("click.Command", plugin.load())
    except ModuleNotFoundError as error:
        extra = _PLUGINS[name][0] if name in _PLUGINS else None
        install = f"pip install 'cloudq[{extra}]'" if extra else f"install {error.name}"
        raise MisuseError(f"`cloudq {name}` needs {error.name}, which isn't installed: {install}.") from error


def _short_help(name: str) -> str:
    known = _OWN.get(name) or _PLUGINS.get(name)
    return known[1] if known else f"From {_plugins()[name].dist.name}."


def _wants_json(words: Sequence[str]) -> bool:
    own = words[: words.index("--")] if "--" in words else words
    return "--json" in own
