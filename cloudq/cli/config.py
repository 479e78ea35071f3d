"""`cloudq config`: which setting has which value, and why."""

from __future__ import annotations

import dataclasses
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import click

from cloudq.app import App
from cloudq.cli.options import AppSource, app_options, json_option
from cloudq.cli.output import print_json, print_table
from cloudq.config import PREFIX, Settings

__all__ = ["config"]

_SECRET = re.compile(r"(?i)((?:password|secret|token|key)[^=&]*=)[^&]*")
_HIDDEN = "***"


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
    names = [field.name for field in dataclasses.fields(Settings)]
    found = {name: (_shown(getattr(app.conf.settings, name)), _origin(app, name)) for name in names}
    if as_json:
        print_json({"settings": {name: {"value": v, "source": s} for name, (v, s) in found.items()}})
    else:
        print_table(("setting", "value", "from"), [(name, *row) for name, row in found.items()])


def masked(url: str) -> str:
    """A URL without its password and whatever looks like a secret in its query."""
    parts = urlsplit(url)
    netloc = parts.netloc
    if "@" in netloc:
        user, _, host = netloc.rpartition("@")
        name = user.partition(":")[0]
        netloc = f"{name}:{_HIDDEN}@{host}" if ":" in user else f"{_HIDDEN}@{host}"
    # Not urlunsplit for all: it would drop the empty host of sqlite:///file.
    if netloc == parts.netloc and not _SECRET.search(parts.query):
        return url
    return urlunsplit(parts._replace(netloc=netloc, query=_SECRET.sub(rf"\1{_HIDDEN}", parts.query)))


def _shown(value: Any) -> Any:
    return masked(value) if isinstance(value, str) and "://" in value else value


def _origin(app: App, name: str) -> str:
    source = app.conf.source(name)
    return f"environment, {PREFIX}{name.upper()}" if source == "environment" else source
