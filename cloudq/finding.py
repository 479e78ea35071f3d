"""Finding an app where `-A` or a function's environment says that it is: its errors are the module's own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudq.app import App, default_app
from cloudq.errors import ConfigurationError

__all__ = ["load"]


def load(spec: str) -> App:
    """Import an app.

    Args:
        spec: `module` (its attribute `app`, its only App, or the default app that its tasks are in) or
            `module:attribute`.

    Raises:
        ConfigurationError: The module has no app, or several.
        Exception: Whatever importing the module raises.
    """
    name, _, attribute = spec.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module = importlib.import_module(name)
    if attribute:
        if not hasattr(module, attribute):
            raise ConfigurationError(f"{spec}: {name} has no attribute {attribute!r}.")
        found = getattr(module, attribute)
        if not isinstance(found, App):
            raise ConfigurationError(f"{spec}: {attribute!r} is {found!r}, not a cloudq.App.")
        return found
    return _find_app(name, vars(module))


def _find_app(name: str, names: Mapping[str, Any]) -> App:
    if isinstance(names.get("app"), App):
        return names["app"]
    apps = {id(value): value for value in names.values() if isinstance(value, App)}
    if len(apps) == 1:
        return next(iter(apps.values()))
    if apps:
        raise ConfigurationError(f"{name} has {len(apps)} apps: say which, as in {name}:app.")
    if (default := default_app()).tasks:
        return default
    raise ConfigurationError(f"{name} has no cloudq.App and no task: make one, `app = cloudq.App({name!r})`.")
