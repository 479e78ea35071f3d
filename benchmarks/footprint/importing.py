"""What an import costs: CPU time beyond that of a bare interpreter, and modules."""

from __future__ import annotations

import ast
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_ROUNDS: Final = 21
_LIST: Final = """\
import sys
before = set(sys.modules)
{statement}
print([(name, getattr(sys.modules[name], "__file__", None) or "") for name in set(sys.modules) - before])
"""


@dataclass(frozen=True, slots=True)
class Import:
    """What an import came to.

    Args:
        statement: Which.
        seconds: The best round's CPU time less that of an interpreter that imports nothing.
        own: Modules of the package itself.
        stdlib: Modules of Python's library that a bare interpreter hasn't loaded.
        others: Modules of other packages.
    """

    statement: str
    seconds: float
    own: int
    stdlib: int
    others: int


def measure(bin_: Path, statement: str) -> Import:
    """Import in fresh interpreters, turn by turn with bare ones; the best of each.

    Args:
        bin_: The environment.
        statement: A statement that imports one package.
    """
    python, package = str(bin_ / "python"), statement.split()[1]
    rounds = [(_seconds(python, "pass"), _seconds(python, statement)) for _ in range(_ROUNDS)]
    bare, imported = (min(times) for times in zip(*rounds, strict=True))
    done = subprocess.run(
        [python, "-I", "-c", _LIST.format(statement=statement)], check=True, capture_output=True, text=True
    )
    modules: dict[str, str] = dict(ast.literal_eval(done.stdout))
    own = sum(name.partition(".")[0] == package for name in modules)
    others = sum(
        "site-packages" in file for name, file in modules.items() if name.partition(".")[0] != package
    )
    return Import(statement, imported - bare, own, len(modules) - own - others, others)


def _seconds(python: str, statement: str) -> float:
    before = _children_cpu()
    subprocess.run([python, "-I", "-c", statement], check=True)
    return _children_cpu() - before


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
