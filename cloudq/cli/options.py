"""Options that several commands share.

A command takes them by decorator:

    @click.command()
    @app_options                       # -A/--app, --broker, --config  →  source: AppSource
    @json_option                       # --json                        →  as_json: bool
    def stats(source: AppSource, *, as_json: bool) -> None: ...

`AppSource` has what was said (`spec`, `config`, `overrides`: whoever opens the app in another process passes
them on) and `open()`, which turns it into the app or into an error that a person can act on.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cloudq.app import App
from cloudq.config import environment, module_settings
from cloudq.errors import ConfigurationError
from cloudq.loading import import_app

__all__ = ["AppSource", "app_options", "json_option"]


@dataclass(frozen=True, slots=True)
class AppSource:
    """Which app a command is about; what it opens is closed when the command ends.

    Args:
        spec: `module` or `module:attribute`; None where none was named.
        broker: The broker's URL, above all other sources.
        config: A module of settings, in place of pyproject.toml's.
    """

    spec: str | None = None
    broker: str | None = None
    config: str | None = None

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that the command line says."""
        return {"broker_url": self.broker} if self.broker else {}

    def required(self) -> str:
        """The app's spec.

        Raises:
            UsageError: None was named.
        """
        if not self.spec:
            raise click.UsageError(
                "No app. Name the module that it lives in, with -A shop.tasks (or -A shop.tasks:app), or set "
                "CLOUDQ_APP."
            )
        return self.spec

    def open(self) -> App:
        """Import the app, and set what the command line and the configuration module say.

        Raises:
            UsageError: None was named.
            AppImportError: Importing it fails; it has the user's traceback.
            ConfigurationError: There is none in the module, or a setting is wrong.
        """
        return self._set_up(import_app(self.required()))

    def open_or_bare(self) -> App:
        """As `open`, or an app without tasks where none was named: enough to ask a broker."""
        return self.open() if self.spec else self._set_up(App("cloudq"))

    def open_or_connect(self) -> App:
        """As `open_or_bare`, for commands that ask the broker: there must be one.

        Raises:
            UsageError: Neither an app nor a broker was named, and nothing waits in the default one.
        """
        app = self.open_or_bare()
        if not self.spec and app.conf.source("broker_url") == "default":
            path = Path(app.conf.settings.broker_url.removeprefix("sqlite:///"))
            if not path.exists():
                raise click.UsageError(
                    "No app and no broker. Name the app with -A shop.tasks (or set CLOUDQ_APP), or the "
                    "broker with --broker URL (or CLOUDQ_BROKER_URL)."
                )
        return app

    def open_to_look(self) -> App:
        """As `open_or_connect`, for commands that look into queues: this process must see them.

        Raises:
            ConfigurationError: The broker is seen by the app's own process alone.
        """
        app = self.open_or_connect()
        if not app.broker.limits.is_shared:
            raise ConfigurationError(
                f"{app.conf.settings.broker_url} is seen by the app's own process alone: from here there is "
                "nothing to look at."
            )
        return app

    def _set_up(self, app: App) -> App:
        if self.config:
            if str(Path.cwd()) not in sys.path:
                sys.path.insert(0, str(Path.cwd()))
            app.conf.use_file(module_settings(self.config))
        app.conf.update("command line", self.overrides)
        if (context := click.get_current_context(silent=True)) is not None:
            context.call_on_close(app.close)
        return app


def app_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `-A/--app`, `--broker` and `--config`, as one parameter `source`."""

    @click.option(
        "-A",
        "--app",
        "spec",
        metavar="APP",
        help="The app: MODULE or MODULE:ATTRIBUTE. Also CLOUDQ_APP.",
    )
    @click.option(
        "--broker", metavar="URL", help="Where messages wait, for this command. Also CLOUDQ_BROKER_URL."
    )
    @click.option(
        "--config", metavar="MODULE", help="Take settings from this module instead of pyproject.toml."
    )
    @functools.wraps(command)
    def with_source(
        *args: Any, spec: str | None, broker: str | None, config: str | None, **kwargs: Any
    ) -> Any:
        return command(*args, source=AppSource(spec or _spec_before(), broker, config), **kwargs)

    return with_source


def _spec_before() -> str | None:
    """The app as it was named before the command, where Celery's users do it, else in the environment."""
    return click.get_current_context().find_root().obj or environment("CLOUDQ_APP") or None


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json`, as a parameter `as_json`; what goes wrong is told in JSON, too."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")(command)
