"""What a person, or a program that asked for JSON, sees when a command fails; and its exit code.

0 done · 1 the thing failed · 2 misuse: the command line, a setting, an argument or the app's module is wrong
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import click

from cloudq.errors import (
    AppImportError,
    ArgumentError,
    CloudqError,
    ConfigurationError,
    ResultError,
    TaskFailedError,
    UnknownTaskError,
)

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
        id: The message that it is about, where it is about one.
    """

    kind: str
    message: str
    code: int
    traceback: str = ""
    usage: str = ""
    id: str = ""


def failure_of(error: CloudqError | click.ClickException) -> Failure:
    """What to show for an error."""
    return Failure(
        kind=type(error).__name__,
        message=error.format_message() if isinstance(error, click.ClickException) else str(error),
        code=_code(error),
        traceback=error.traceback if isinstance(error, AppImportError | TaskFailedError) else "",
        usage=_usage(error) if isinstance(error, click.UsageError) else "",
        id=error.id if isinstance(error, ResultError) else "",
    )


def _code(error: CloudqError | click.ClickException) -> int:
    if isinstance(error, click.ClickException):
        return error.exit_code
    misuse = AppImportError | ConfigurationError | ArgumentError | UnknownTaskError
    return MISUSE if isinstance(error, misuse) else FAILED


def show(failure: Failure, *, as_json: bool, color: bool | None = None) -> None:
    """Tell it: as JSON on standard output, else in words on standard error.

    Args:
        failure: What to tell.
        as_json: How.
        color: Whether in colour; None: on a terminal.
    """
    if as_json:
        more = {"id": failure.id, "traceback": failure.traceback}
        told = {name: value for name, value in more.items() if value}
        told = {"type": failure.kind, "message": failure.message, **told}
        click.echo(json.dumps({"error": told}, ensure_ascii=False, indent=2))
        return
    for before in (failure.traceback, failure.usage):
        if before:
            click.echo(before.rstrip() + "\n", err=True)
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {failure.message}", err=True, color=color)


def _usage(error: click.UsageError) -> str:
    if error.ctx is None:
        return ""
    return f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help."
