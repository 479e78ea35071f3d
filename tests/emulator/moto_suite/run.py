"""moto's own tests of SQS, run against this emulator: `python tests/emulator/moto_suite/run.py`.

The tests come from moto's source distribution at the version that is installed. Those that are known to
fail stand in `expected.toml`, each with what AWS says; every other has to pass.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ACCOUNT = "123456789012"  # what moto's tests take for theirs
MOTOS_SERVER = "http://localhost:5000"  # where moto's own server listens
FREEZEGUN = "freezegun==1.5.5"  # moto's tests import it


def main(arguments: list[str]) -> int:
    """Run the suite; the exit code says whether the outcome is the expected one."""
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as directory:
        suite = fetch(Path(directory))
        report = Path(directory, "report.xml")
        run(suite, report, arguments)
        return judge(outcomes(report), expected())


def fetch(directory: Path) -> Path:
    """Download moto's sources and what its tests import besides; where they are."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    moto = f"moto=={version('moto')}"
    subprocess.run([*pip, "download", moto, "--no-binary", "moto", "--no-deps", "-d", directory], check=True)
    subprocess.run([*pip, "install", FREEZEGUN, "--target", directory / "imports"], check=True)
    (archive,) = directory.glob("moto-*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(directory, filter="data")
    return directory / archive.name.removesuffix(".tar.gz")


def run(suite: Path, report: Path, arguments: list[str]) -> None:
    """Run the tests against an emulator of their own."""
    from tests.emulator_process import emulator_process

    with emulator_process("--account", ACCOUNT) as emulator:
        environment = {
            **os.environ,
            "PYTHONPATH": str(suite.parent / "imports"),
            "TEST_SERVER_MODE": "true",
            "TEST_SERVER_MODE_ENDPOINT": emulator.endpoint,
        }
        for source in suite.joinpath("tests", "test_sqs").glob("*.py"):
            source.write_text(source.read_text().replace(MOTOS_SERVER, emulator.endpoint))
        command = [sys.executable, "-m", "pytest", "tests/test_sqs", "-q", f"--junitxml={report}"]
        subprocess.run([*command, *arguments], cwd=suite, env=environment, check=False)


def outcomes(report: Path) -> dict[str, bool]:
    """Which tests passed; those that skipped themselves are left out."""
    cases: dict[str, bool] = {}
    for case in ET.parse(report).iter("testcase"):
        if case.find("skipped") is None:
            passed = case.find("failure") is None and case.find("error") is None
            cases[f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"] = passed
    return cases


def expected() -> dict[str, str]:
    """The tests that may fail, and why."""
    rows = tomllib.loads((HERE / "expected.toml").read_text())["wrong"]
    assert all(row["source"] for row in rows)
    return {row["test"]: row["why"] for row in rows}


def judge(cases: dict[str, bool], wrong: dict[str, str]) -> int:
    """Hold the outcome to the list, both ways."""
    failed = {name for name, passed in cases.items() if not passed}
    news = sorted(failed - wrong.keys())
    stale = sorted(name for name in wrong if cases.get(name, True))
    for name in news:
        say(f"FAILED, and isn't expected to: {name}")
    for name in stale:
        say(f"Didn't fail, though expected.toml says so: {name}")
    say(f"{len(cases) - len(failed)} of {len(cases)} pass, {len(failed - set(news))} fail as expected.")
    return 1 if news or stale or not cases else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
