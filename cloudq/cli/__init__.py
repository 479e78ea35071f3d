"""The command `cloudq`.

| module | what it holds |
|---|---|
| `commands` | the group: commands by name, loaded when called |
| `options` | options that commands share |
| `failures`, `output` | what is printed, and the exit code |
| `messages` | how messages are shown |
| `config`, `dlq`, `queues`, `tasks`, `worker` | the commands |
"""

from __future__ import annotations

import click

from cloudq import __version__
from cloudq.cli.commands import Commands

__all__ = ["main"]


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="cloudq %(version)s")
@click.option("-A", "--app", "spec", metavar="APP", help="The app; it may stand behind the command, too.")
@click.pass_context
def main(ctx: click.Context, spec: str | None) -> None:
    r"""Cloudq, a task queue for Python on SQS and Lambda, or on nothing but a file.

    Most commands need to know your app: -A takes the module that it lives in, as Celery's does, and so does
    the variable CLOUDQ_APP.

    \b
    cloudq worker -A shop.tasks
    cloudq task call shop.tasks.add 1 2 -A shop.tasks --wait
    cloudq queue stats -A shop.tasks

    Exit codes: 0 done; 1 the thing failed; 2 the command line, a setting or the app is wrong.
    """
    ctx.obj = spec
