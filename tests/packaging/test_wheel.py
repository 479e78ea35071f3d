"""The wheel: what is in it, and that it works where nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 240

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(PATIENCE), pytest.mark.xdist_group("wheel")]


def run(*command: str | Path, cwd: Path, **environ: str) -> str:
    """A command's output; what it said where it fails."""
    kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG") if name in os.environ}
    kept |= {
        name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter in an environment of its own, with the wheel and what it asks for, no extras."""
    folder = tmp_path_factory.mktemp("empty")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    interpreter = folder / "bin" / "python"
    run(
        interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "-c", ROOT / "constraints.txt", wheel, cwd=folder,
    )  # fmt: skip
    return interpreter


def write_shop(folder: Path, options: str) -> None:
    code = f"""
        import cloudq

        app = cloudq.App("shop", {options})
        ran = []

        @app.task
        def add(x: int, y: int = 1) -> int:
            ran.append(x + y)
            return x + y
    """
    (folder / "shop.py").write_text(textwrap.dedent(code))


KINDS = (".py", "py.typed", ".sql", ".lua", ".html", ".css", ".js")


def test_wheel_holds_the_three_packages_and_nothing_else(wheel: Path):
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    tops = {name.partition("/")[0] for name in names}

    assert tops == {"cloudq", "cloudq_emulator", "cloudq_infra"}
    assert {f"{top}/py.typed" for top in tops} <= set(names)
    assert not [name for name in names if not name.endswith(KINDS)]
    assert not [name for name in names if "tests/" in name or "/test_" in name or "examples" in name]


def test_wheel_names_its_commands_its_licence_and_no_registry(wheel: Path):
    archive = zipfile.ZipFile(wheel)
    texts = {
        name.rpartition("/")[2]: archive.read(name).decode()
        for name in archive.namelist()
        if ".dist-info/" in name
    }

    assert "cloudq = cloudq.cli:main" in texts["entry_points.txt"]
    assert "MIT License" in texts["LICENSE"]
    assert "License-Expression: MIT" in texts["METADATA"]
    assert "Requires-Dist: click" in texts["METADATA"]
    assert "index-url" not in texts["METADATA"]


def test_environment_without_extras_is_lean(python: Path, tmp_path: Path):
    listed = run(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check", cwd=tmp_path)
    names = {line.partition("==")[0].lower().replace("_", "-") for line in listed.split()}

    assert names - {"pip", "setuptools", "wheel"} == {
        "cloudq", "click", "pydantic", "pydantic-core", "annotated-types", "typing-extensions",
        "typing-inspection",
    }  # fmt: skip


@pytest.mark.parametrize("pool", ["prefork", "thread", "solo"])
def test_worker_of_the_wheel_runs_a_task_on_sqlite(python: Path, tmp_path: Path, pool: str):
    write_shop(tmp_path, 'broker="sqlite:///queue.db", backend="sqlite:///queue.db"')
    sent = run(python, "-c", "import shop; print(shop.add.delay(2, y=3).id)", cwd=tmp_path).strip()

    run(python.with_name("cloudq"), "worker", "-A", "shop", "--pool", pool, "--burst", cwd=tmp_path)

    result = f"import shop; print(shop.add.result({sent!r}).get(timeout=0))"
    assert run(python, "-c", result, cwd=tmp_path).strip() == "5"


def test_worker_of_the_wheel_runs_a_task_in_memory(python: Path, tmp_path: Path):
    write_shop(tmp_path, 'broker="memory://"')
    (tmp_path / "main.py").write_text(
        "import shop\n"
        "from cloudq.cli import main\n"
        "shop.add.delay(2, y=3)\n"
        "try:\n"
        "    main(['worker', '-A', 'shop', '--pool', 'solo', '--burst'])\n"
        "except SystemExit:\n"
        "    print(shop.ran)\n"
    )

    assert run(python, "main.py", cwd=tmp_path).strip() == "[5]"


@pytest.mark.parametrize(
    ("command", "extra"), [(["emulate"], "emulator"), (["infra", "template", "-A", "shop"], "infra")]
)
def test_command_whose_extra_is_absent_says_which_to_install(
    python: Path, tmp_path: Path, command: list[str], extra: str
):
    write_shop(tmp_path, 'broker="memory://"')

    done = subprocess.run(
        [str(python.with_name("cloudq")), *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert f"cloudq[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr


def test_broker_whose_extra_is_absent_says_which_to_install(python: Path, tmp_path: Path):
    write_shop(tmp_path, 'broker="sqs://eu-west-1"')

    done = subprocess.run(
        [str(python), "-c", "import shop; shop.add.delay(1)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "cloudq[sqs]" in done.stderr
