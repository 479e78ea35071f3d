"""Other projects' SQS clients against this emulator: `python tests/emulator/clients/run.py [NAME ...]`.

They are installed in an environment of their own, for as long as it runs. Each check is a program that ends
well if its client got what AWS would have given it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

CHECKS = {
    "celery": ("celery[sqs]==5.7.0",),
    "dramatiq": ("dramatiq_sqs==0.4.4",),
    "taskiq": ("taskiq-aio-sqs==2.1.1",),
    "aws_cli": ("awscli==1.45.11", "awscli-local==0.22.2"),
}
"""Clients, and what has to be installed for them."""


def main(names: list[str]) -> int:
    """Run the checks of these names, or all; the exit code says whether all went well."""
    sys.path.insert(0, str(ROOT))
    from tests.emulator_process import emulator_process

    failed: list[str] = []
    for name in names or CHECKS:
        with tempfile.TemporaryDirectory() as directory, emulator_process() as emulator:
            environment = {**os.environ, **emulator.environment, "CHECK_DIRECTORY": directory}
            environment["PATH"] = os.pathsep.join([f"{directory}/env/bin", environment["PATH"]])
            python = install(Path(directory, "env"), CHECKS[name])
            program = [python, HERE / f"{name}_check.py"]
            done = subprocess.run(program, env=environment, cwd=directory, check=False, timeout=120)
        sys.stdout.write(f"{name}: {'failed' if done.returncode else 'passed'}\n")
        failed += [name] if done.returncode else []
    return len(failed)


def install(directory: Path, requirements: tuple[str, ...]) -> Path:
    """Make an environment; its Python."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", *requirements], check=True
    )
    return python


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
