"""`cloudq infra`: the template of an app."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloudq.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_infra.check import Recipe

_app = click.option(
    "-A", "--app", "spec", envvar="CLOUDQ_APP", metavar="APP", help="module or module:attribute [CLOUDQ_APP]"
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


@click.group()
def infra() -> None:
    """Infrastructure on AWS, written from an app's queues and tasks."""
    for module in ("samtranslator", "yaml"):
        if find_spec(module) is None:
            raise click.ClickException(f"{module} is missing; this needs: pip install 'cloudq[infra]'")


@infra.command("template")
@_app
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; else standard output."
)
@click.option("--code", help="Folder of the functions' code, from the template; else the file's, else '.'.")
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME[=DEFAULT]",
    help="A variable that functions get, as a parameter of the template; else the file's. May be repeated.",
)
@_as_json
def write_template(
    spec: str | None, output: Path | None, code: str | None, variables: tuple[str, ...], *, as_json: bool
) -> None:
    """Write a SAM template; what isn't given is taken from the file that is there."""
    before = _recipe(output) if output is not None and output.exists() else None
    spec = spec or (before.app if before else None)
    if spec is None:
        raise click.UsageError("Which app? Give -A module or set CLOUDQ_APP.")
    given = dict(_pair(variable) for variable in variables) or (before.variables if before else {})
    made = _made(spec, code or (before.code if before else "."), given)
    if output is None:
        click.echo(_json(made) if as_json else _yaml(made), nl=as_json)
    else:
        _write(output, _yaml(made), as_json=as_json)


@infra.command("check")
@_app
@click.argument("file", default="template.yaml", type=click.Path(dir_okay=False, path_type=Path))
@_as_json
def check_template(spec: str | None, file: Path, *, as_json: bool) -> None:
    """Exit 1 and show the difference if FILE is not what the app would get now."""
    from cloudq_infra.check import difference

    written = _recipe(file)
    made = _made(spec or written.app, written.code, written.variables)
    diff = difference(file.read_text(), made, str(file))
    if as_json:
        click.echo(json.dumps({"file": str(file), "current": not diff, "difference": diff}))
    elif diff:
        click.echo(diff, nl=False)
        click.echo(f"{file} is stale: write it anew with `cloudq infra template -o {file}`.", err=True)
    if diff:
        raise click.exceptions.Exit(1)


def _write(output: Path, text: str, *, as_json: bool) -> None:
    is_changed = not output.exists() or output.read_text() != text
    output.write_text(text)
    if as_json:
        click.echo(json.dumps({"file": str(output), "changed": is_changed}))
    else:
        click.echo(f"{output}: {'written' if is_changed else 'unchanged'}", err=True)


def _recipe(file: Path) -> Recipe:
    from cloudq_infra.check import recipe

    try:
        return recipe(file.read_text(), str(file))
    except OSError as error:
        raise click.ClickException(f"Can't read {file}: {error.strerror}.") from error
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def _made(spec: str, code: str, variables: Mapping[str, str]) -> dict[str, Any]:
    from cloudq.app import load
    from cloudq_infra.model import plan
    from cloudq_infra.template import template

    try:
        return template(plan(spec, load(spec)), code=code, variables=variables)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def _pair(variable: str) -> tuple[str, str]:
    name, _, default = variable.partition("=")
    return name, default


def _yaml(made: Mapping[str, Any]) -> str:
    from cloudq_infra.render import render

    return render(made)


def _json(made: Mapping[str, Any]) -> str:
    from cloudq_infra.intrinsics import plain

    return json.dumps(plain(dict(made)), indent=2)
