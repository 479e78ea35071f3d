"""Whether a template is the one that its app would get now."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudq.errors import ConfigurationError
from cloudq_infra.render import render

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a template was written from; it is kept in the template's metadata.

    Args:
        app: `module` or `module:attribute`.
        code: The folder of the functions' code.
        variables: The functions' variables that are parameters, with defaults.
    """

    app: str
    code: str
    variables: Mapping[str, str]


def recipe(text: str, file: str) -> Recipe:
    """Read from a template what it was written from.

    Args:
        text: The template.
        file: Its name, for the error.

    Raises:
        ConfigurationError: It wasn't written by `cloudq infra template`.
    """
    import yaml
    from samtranslator.yaml_helper import yaml_parse

    try:
        found = yaml_parse(text)["Metadata"]["Cloudq"]
        return Recipe(found["App"], found["Code"], found["Variables"])
    except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file} was not written by `cloudq infra template`.") from error


def difference(text: str, template: Mapping[str, Any], file: str) -> str:
    """What must change in `text` for it to be the template; empty if it is.

    Args:
        text: The file as it is.
        template: What it should be.
        file: Its name.
    """
    lines = text.splitlines(keepends=True), render(template).splitlines(keepends=True)
    return "".join(difflib.unified_diff(*lines, fromfile=file, tofile=f"{file} (now)"))
