"""README's and the docs' code runs, and says what they say it says."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloudq.config import Settings
from cloudq.options import TaskKeywords

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATIENCE = 50


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def write_files(page: Path, folder: Path) -> None:
    """A page's files: a block that begins with a file's name is that file."""
    for block in blocks(page, "python"):
        first, _, _ = block.partition("\n")
        (folder / first.removeprefix("# ")).write_text(block)


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDQ_", "AWS_"))}
    return {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", **more}


def run(*command: str, cwd: Path, **more: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    """README's files, in a folder of their own."""
    write_files(ROOT / "README.md", tmp_path)
    return tmp_path


@contextmanager
def started(command: str, cwd: Path) -> Generator[subprocess.Popen[str]]:
    """A shell command, with all that it starts, killed at the end."""
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_readme_s_example_prints_what_it_shows(readme: Path):
    (shown,) = blocks(ROOT / "README.md", "text")

    with started("exec cloudq worker -A tasks", readme) as worker:
        printed = run(sys.executable, "buy.py", cwd=readme)
        is_alive = worker.poll() is None

    assert printed == shown
    assert is_alive


def test_readme_s_example_prints_the_same_on_the_emulator(readme: Path):
    shown = blocks(ROOT / "README.md", "text")[0].splitlines()
    (command,) = [block for block in blocks(ROOT / "README.md", "sh") if "cloudq emulate" in block]

    with started(command.replace("cloudq emulate", "cloudq emulate --port 0"), readme) as process:
        assert process.stdout is not None
        printed = [line.rstrip() for _, line in zip(shown, process.stdout, strict=False)]

    assert printed == shown


def test_the_page_on_testing_has_a_test_that_passes(readme: Path):
    write_files(ROOT / "docs" / "testing.md", readme)

    assert "1 passed" in run("pytest", "-q", "-p", "no:cacheprovider", cwd=readme)


def test_messages_go_between_cloudq_and_plain_boto3_as_the_page_shows(tmp_path: Path):
    page = ROOT / "docs" / "sending.md"
    write_files(page, tmp_path)
    (command,) = blocks(page, "sh")

    run("sh", "-c", command.replace("cloudq emulate", "cloudq emulate --port 0"), cwd=tmp_path)


@pytest.mark.parametrize("page", ["tasks", "configuration"])
def test_page_s_code_runs(page: str, tmp_path: Path):
    (tmp_path / "page.py").write_text("\n".join(blocks(ROOT / "docs" / f"{page}.md", "python")))

    run(
        sys.executable,
        "page.py",
        cwd=tmp_path,
        CLOUDQ_BROKER_URL="memory://",
        CLOUDQ_RESULT_BACKEND="memory://",
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_s_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())

    missing = [one for one in targets if "://" not in one and not (page.parent / one).exists()]

    assert missing == []


def test_every_page_is_linked_from_another():
    linked = {
        (page.parent / target).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)", page.read_text())
        if "://" not in target
    }

    assert [
        page.name for page in PAGES if page.parent != ROOT and page not in linked and page.name != "index.md"
    ] == []


def test_every_setting_and_every_option_of_a_task_is_described():
    configuration = (ROOT / "docs" / "configuration.md").read_text()
    tasks = (ROOT / "docs" / "tasks.md").read_text()

    assert [
        field.name for field in dataclasses.fields(Settings) if f"| `{field.name}` |" not in configuration
    ] == []
    assert [name for name in TaskKeywords.__annotations__ if f"`{name}`" not in tasks] == []
