"""A real `cloudq worker`, for tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.processes import children_of
from tests.waiting import PATIENCE

HERE = Path(__file__).parent


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


class WorkerProcess:
    """Runs `cloudq worker -A worker_app` in a process group of its own; its log is kept and read as JSON."""

    def __init__(
        self,
        log: Path,
        environ: Mapping[str, str],
        *options: str,
        app: str = "worker_app",
        folder: Path = HERE,
    ) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cloudq", "worker", "-A", app, *options],
                cwd=folder,
                env={**os.environ, **environ},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def events(self, action: str) -> list[dict[str, Any]]:
        told = [json.loads(line) for line in lines(self.log) if line.startswith("{")]
        return [event for event in told if event.get("action") == action]

    def children(self) -> list[int]:
        """The processes that run tasks: the forkserver's own children."""
        return [child for forkserver in self.forkservers() for child in children_of(forkserver)]

    def forkservers(self) -> list[int]:
        return children_of(self.pid)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, patience: float = PATIENCE) -> int:
        return self._process.wait(patience)

    def stop(self) -> int:
        self.send_signal(signal.SIGTERM)
        return self.wait()

    def kill_group(self) -> None:
        """What a test leaves behind, whatever happened in it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


Start = Callable[..., WorkerProcess]
"""Starts a worker with these options, and with these variables besides."""
