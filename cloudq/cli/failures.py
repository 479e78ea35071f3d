"""What a person, or a program that asked for JSON, sees when a command fails; and its exit code.

0 done · 1 the thing failed · 2 misuse: the command line, a setting or an argument is wrong
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import click

from cloudq.cli.loading import AppImportError
from cloudq.errors import ArgumentError, CloudqError, ConfigurationError, TaskFailedError, UnknownTaskError

__all__ = ["FAILED", "MISUSE", "Failure", "MisuseError", "failure_of", "show"]

FAILED = 1
MISUSE = 2


class MisuseError(click.ClickException):
    """The command line names something that isn't there; the message says what is."""

    exit_code = MISUSE


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure, ready to be shown.

    Args:
        kind: The error's type.
        message: What went wrong and what to do.
        code: The exit code.
        traceback: The user's code's, where it was that which raised.
        usage: How the command is called, where it was called otherwise.
    """

    kind: str
    message: str
    code: int
    traceback: str = ""
    usage: str = ""


def failure_of(error: CloudqError | click.ClickException) -> Failure:
    """What to show for an error."""
    kind = type(error).__name__
    match error:
        case AppImportError():
            return Failure(kind, error.message, FAILED, error.traceback)
        case click.UsageError():
            return Failure(kind, error.format_message(), MISUSE, usage=_usage(error))
        case click.ClickException():
            return Failure(kind, error.format_message(), error.exit_code)
        case TaskFailedError():
            return Failure(kind, str(error), FAILED, error.traceback)
        case ConfigurationError() | ArgumentError() | UnknownTaskError():
            return Failure(kind, str(error), MISUSE)
        case _:
            return Failure(kind, str(error), FAILED)


def show(failure: Failure, *, as_json: bool) -> None:
    """Tell it: as JSON on standard output, else in words on standard error."""
    if as_json:
        told = {"type": failure.kind, "message": failure.message}
        if failure.traceback:
            told["traceback"] = failure.traceback
        click.echo(json.dumps({"error": told}, ensure_ascii=False))
        return
    for before in (failure.traceback, failure.usage):
        if before:
            click.echo(before.rstrip() + "\n", err=True)
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {failure.message}", err=True)


def _usage(error: click.UsageError) -> str:
    if error.ctx is None:
        return ""
    return f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help."
