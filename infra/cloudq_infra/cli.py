"""`cloudq infra`: the template of an app."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudq.cli.failures import FAILED, MisuseError
from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import print_json
from cloudq.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudq_infra.check import Recipe

_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]+")
"""A variable's name. Source: Lambda API Reference, Environment, read 2026-11."""

_TAKEN = (
    "CLOUDQ_APP",
    "CLOUDQ_BROKER_URL",
    "CLOUDQ_RESULT_BACKEND",
    "PREFIX",
    "ALARM_TOPIC",
    "RESULT_BACKEND",
)
"""Variables that the template sets itself, and those that would be called as one of its own parameters is."""


@click.group()
def infra() -> None:
    """Infrastructure on AWS, written from an app's queues and tasks."""
    for module in ("samtranslator", "yaml"):
        if find_spec(module) is None:
            raise MisuseError(
                f"`cloudq infra` needs {module}, which isn't installed: pip install 'cloudq[infra]'."
            )


def _read_variables(_ctx: click.Context, _option: click.Parameter, said: Sequence[str]) -> dict[str, str]:
    """The variables of --env, with their defaults."""
    found: dict[str, str] = {}
    for one in said:
        name, _, default = one.partition("=")
        if not _VARIABLE.fullmatch(name):
            raise click.BadParameter(
                f"{name!r} is no name of a variable: letters, digits and _, a letter first."
            )
        if name.upper() in _TAKEN:
            raise click.BadParameter(f"{name} is the template's own already.")
        found[name] = default
    return found


@infra.command("template", short_help="Write an app's SAM template.")
@app_options
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; else standard output."
)
@click.option("--code", help="Folder of the functions' code, from the template; else the file's, else '.'.")
@click.option(
    "--env",
    "variables",
    multiple=True,
    callback=_read_variables,
    metavar="NAME[=DEFAULT]",
    help="A variable that functions get, as a parameter of the template; else the file's. May be repeated.",
)
@click.option("--force", is_flag=True, help="Write over a file that was not written by this command.")
@json_option
def write_template(
    source: AppSource,
    output: Path | None,
    code: str | None,
    variables: Mapping[str, str],
    *,
    force: bool,
    as_json: bool,
) -> None:
    r"""Write an app's SAM template; what isn't given is taken from the file that is there.

    \b
    cloudq infra template -A shop.tasks -o template.yaml
    cloudq infra template -o template.yaml --env SHOP_STAGE=dev
    """
    before = None if output is None or not output.exists() else _kept(output, is_forced=force)
    if source.spec is None and before is not None:
        source = replace(source, spec=before.app)
    made = _made(
        source, code or (before.code if before else "."), variables or (before.variables if before else {})
    )
    if output is not None:
        _write(output, _yaml(made), as_json=as_json)
    elif as_json:
        _print_plain(made)
    else:
        click.echo(_yaml(made), nl=False)


@infra.command("check", short_help="Tell whether a template is what its app would get now.")
@app_options
@click.argument("file", default="template.yaml", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def check_template(source: AppSource, file: Path, *, as_json: bool) -> None:
    r"""Exit 1 and show the difference if FILE is not what the app would get now.

    \b
    cloudq infra check template.yaml
    """
    from cloudq_infra.check import difference

    text = _text(file)
    written = _recipe(text, file)
    made = _made(replace(source, spec=source.spec or written.app), written.code, written.variables)
    diff = difference(text, made, str(file))
    if as_json:
        print_json({"file": str(file), "current": not diff, "difference": diff})
    elif diff:
        click.echo(diff, nl=False)
        click.echo(f"{file} is stale: write it anew with `cloudq infra template -o {file}`.", err=True)
    if diff:
        raise click.exceptions.Exit(FAILED)


def _kept(output: Path, *, is_forced: bool) -> Recipe | None:
    """What the file in our place was written from; None if it is another's and may go."""
    try:
        return _recipe(_text(output), output)
    except MisuseError as error:
        if is_forced:
            return None
        raise MisuseError(
            f"{error.message} It is left as it is: name another file with -o, or write over it with --force."
        ) from error


def _write(output: Path, text: str, *, as_json: bool) -> None:
    is_changed = not output.exists() or output.read_bytes() != text.encode()
    try:
        output.write_bytes(text.encode())
    except FileNotFoundError as error:
        raise MisuseError(f"Can't write {output}: there is no folder {output.parent}.") from error
    except OSError as error:
        raise MisuseError(f"Can't write {output}: {error.strerror}.") from error
    if as_json:
        print_json({"file": str(output), "changed": is_changed})
    else:
        click.echo(f"{output}: {'written' if is_changed else 'unchanged'}", err=True)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise MisuseError(f"Can't read {file}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise MisuseError(f"{file} is no text.") from error


def _recipe(text: str, file: Path) -> Recipe:
    from cloudq_infra.check import recipe

    try:
        return recipe(text, str(file))
    except ConfigurationError as error:
        raise MisuseError(str(error)) from error


def _made(source: AppSource, code: str, variables: Mapping[str, str]) -> dict[str, Any]:
    from cloudq_infra.model import plan
    from cloudq_infra.template import template

    app = source.open()
    return template(plan(source.required(), app), code=code, variables=variables)


def _yaml(made: Mapping[str, Any]) -> str:
    from cloudq_infra.render import render

    return render(made)


def _print_plain(made: Mapping[str, Any]) -> None:
    from cloudq_infra.intrinsics import plain

    print_json(plain(dict(made)))
