"""Counts instructions by callgrind, and writes the figures down.

A scenario runs twice, with a few and with many repetitions; the difference is free of the start's cost. With
hashing fixed the count is the same to a tenth of a percent at each run, however busy the machine is.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import Final

import click

from benchmarks import report
from benchmarks.instructions.scenarios import SCENARIOS
from benchmarks.machine import describe

_FEW, _MANY = 50, 350
_COLLECTED: Final = re.compile(r"Collected : (\d+)")
_ENVIRONMENT: Final = {"PYTHONHASHSEED": "0"}
"""Nothing else: its size alone would move the count."""
_PACKAGES: Final = ("cloudq", "httptools", "orjson")


@click.command()
@click.option("--quick", is_flag=True, help="Write nothing down.")
def main(*, quick: bool) -> None:
    """Count the instructions of the emulator's and cloudq's own hot paths."""
    if shutil.which("valgrind") is None:
        raise click.ClickException("this needs valgrind: apt-get install valgrind")
    each = {}
    for name in SCENARIOS:
        click.echo(f"Counting {name} ...", err=True)
        each[name] = (_count(name, _MANY) - _count(name, _FEW)) / (_MANY - _FEW)
    rows = [
        {"name": scenario.name, "instructions": each[name] - each.get(scenario.without, 0)}
        for name, scenario in SCENARIOS.items()
        if scenario.name
    ]
    results = {"machine": describe(_PACKAGES), "rows": rows}
    report.show("instructions", results)
    if not quick:
        report.save("instructions", results)


def _count(name: str, repetitions: int) -> int:
    scenario = [sys.executable, "-m", "benchmarks.instructions.scenarios", name]
    subprocess.run(
        [*scenario, "1"], env=_ENVIRONMENT, check=True
    )  # compiles what isn't: that would be counted, too
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*valgrind, *scenario, str(repetitions)],
        env=_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    counted = _COLLECTED.search(done.stderr)
    if done.returncode or counted is None:
        raise click.ClickException(f"{name} failed:\n{done.stderr}")
    return int(counted[1])


if __name__ == "__main__":
    main()
