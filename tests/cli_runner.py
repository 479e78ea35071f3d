"""Running `cloudq` in this process, in a folder of its own."""

from __future__ import annotations

import importlib
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cloudq.cli import main

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """A project's folder, and commands that run there.

    Args:
        folder: The folder; it must be the working directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write_module(self, text: str) -> str:
        """Write a module; its name, which no other test's has."""
        name = f"cli_module_{next(_numbers)}"
        (self.folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return name

    def run(self, *words: str, env: dict[str, str] | None = None, said: str | None = None) -> Ended:
        """Run a command.

        Args:
            words: Its command line.
            env: Variables for it.
            said: What stands on standard input.
        """
        result = CliRunner().invoke(main, list(words), env=env, input=said)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)
