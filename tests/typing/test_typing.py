"""The files of this folder say what a user's editor is told; a type checker reads them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.timeout(180)
def test_editor_is_told_what_these_files_say():
    checked = [str(path) for path in sorted(HERE.glob("*.py"))]

    done = subprocess.run(
        [str(Path(sys.executable).with_name("basedpyright")), "--warnings", *checked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "0 errors, 0 warnings" in done.stdout
