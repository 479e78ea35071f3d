"""`cloudq config`: which setting has which value, and why."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from cloudq.app import App
from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import masked, print_json, print_table
from cloudq.config import PREFIX, Settings

__all__ = ["config"]


@click.command()
@app_options
@json_option
def config(source: AppSource, *, as_json: bool) -> None:
    r"""Show every setting, its value and where it comes from.

    Strongest first: the command line, the environment, the code, a file, the default. Secrets in URLs are
    hidden.

    \b
    cloudq config -A shop.tasks
    CLOUDQ_TASK_LEASE=120 cloudq config -A shop.tasks
    """
    app = source.open_or_bare()
    app.check_urls()
    names = [field.name for field in dataclasses.fields(Settings)]
    found = {name: (_shown(getattr(app.conf.settings, name)), _origin(app, name)) for name in names}
    if as_json:
        print_json({"settings": {name: {"value": v, "source": s} for name, (v, s) in found.items()}})
    else:
        print_table(("setting", "value", "from"), [(name, *row) for name, row in found.items()])


def _shown(value: Any) -> Any:
    if value == "":
        return None
    return masked(value) if isinstance(value, str) and "://" in value else value


def _origin(app: App, name: str) -> str:
    source = app.conf.source(name)
    return f"environment, {PREFIX}{name.upper()}" if source == "environment" else source
