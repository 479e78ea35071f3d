"""The demo, run as `make demo` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


DEMO = (sys.executable, "-u", "-m", "examples.demo")

IMPATIENT = (
    "import runpy; from examples.demo import watching; watching.STALL = 3;"
    "runpy.run_module('examples.demo', run_name='__main__')"
)
"""Nothing moves where no worker runs: three seconds of it show as much as ten."""


def _environment(output: Path) -> dict[str, str]:
    return {**os.environ, "DEMO_OUTPUT": str(output), "TERM": "dumb", "LANG": "C"}


def _run_demo(output: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**_environment(output), **environ},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_demo_ends_well_when_every_number_is_what_it_should_be(tmp_path):
    demo = _run_demo(tmp_path / "out", *DEMO)

    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "missing" not in demo.stdout
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "contact-sheet.jpg" in page
    assert '<div class="scroll"><table>' in page
    assert "no such mailbox" in page


def test_demo_fails_and_names_the_queues_when_no_worker_runs(tmp_path):
    demo = _run_demo(tmp_path / "out", sys.executable, "-c", IMPATIENT, DEMO_BREAK="worker")

    assert demo.returncode == 1, demo.stdout + demo.stderr
    assert "missing: queue 'emails' still holds 22 messages" in demo.stdout
    assert "no worker polls it" in demo.stdout


def test_page_of_an_earlier_run_stays_when_the_demo_is_stopped(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("earlier")

    with subprocess.Popen(
        DEMO, cwd=ROOT, env=_environment(tmp_path), stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        assert any("messages wait" in line for line in demo.stdout)
        demo.terminate()
        rest = demo.stdout.read()

    assert (demo.returncode, "stopped" in rest) == (130, True)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert page.read_text() == "earlier"
