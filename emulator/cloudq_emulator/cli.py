"""``cloudq emulate``: the local cloud from the command line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import click

from cloudq_emulator import environment

_NEEDED = ("moto", "flask", "boto3", "httptools", "orjson", "awslambdaric")


@click.command(context_settings={"ignore_unknown_options": False})
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=4566,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--account", default="000000000000", show_default=True, help="Account, unless the access key is one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--queue", "queues", multiple=True, metavar="NAME", help="Make this queue at the start; repeatable."
)
@click.option(
    "--template",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Deploy this SAM or CloudFormation template at the start.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep SQS's queues in this folder: they are there again at the next start.",
)
@click.option(
    "-v", "--verbose", is_flag=True, help="Print one line for each request and each invocation of a function."
)
@click.option(
    "--until-eof", is_flag=True, help="Stop when standard input ends, as it does when its other end is gone."
)
@click.option("--json", "as_json", is_flag=True, help="Print the start line as JSON.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def emulate(account: str, **options: Any) -> None:
    r"""Run a local cloud: SQS of cloudq's own, Lambda that runs, moto for the rest.

    It listens on loopback and keeps everything in memory, SQS's queues on disk with --data. With a COMMAND
    after `--` it runs that with the environment that SDKs and cloudq need to find the emulator, stops when
    it ends, and exits as it did.

    \b
    cloudq emulate --queue emails
    cloudq emulate -- pytest
    """
    _require_extra()
    environment.leave_profile()  # before moto is loaded: it makes a boto3 session then and there
    from cloudq_emulator.running import Options, run

    if not (len(account) == 12 and account.isdecimal()):
        raise click.BadParameter("an account is twelve digits", param_hint="--account")
    sys.exit(run(Options(account=account, **options)))


def _require_extra() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"the emulator needs {', '.join(missing)}, not installed here: pip install 'cloudq[emulator]'"
        )


if __name__ == "__main__":
    emulate()
