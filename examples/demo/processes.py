"""The processes that the demo starts: each in its own group, its output in a log, gone when the demo is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

COMMAND = Path(sys.executable).with_name("cloudq")
"""The command as a user types it, of this environment."""

SOON, GRACE = 0.7, 5.0
"""Seconds that a process is given to finish what it holds, and to end."""


class ChildDiedError(Exception):
    """A process that the demo needs has ended."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process.

    Args:
        name: What it is called in messages.
        process: It.
        log: Where its output goes.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise ChildDiedError, with the end of its log, if it has ended."""
        if (code := self.process.poll()) is not None:
            raise ChildDiedError(
                f"The {self.name} ended with exit code {code}. The end of its log, {self.log}:\n{self.tail()}"
            )

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        text = self.log.read_text(encoding="utf-8", errors="replace").rstrip()
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:]) or "    (nothing)"

    def tell(self) -> None:
        """Tell it to end, and give it a moment to finish what it holds."""
        self.process.terminate()
        self._wait(SOON)

    def end(self) -> None:
        """Wait until it has ended; kill what is left of its group."""
        self._wait(GRACE)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _wait(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)


class Children:
    """Starts processes and stops them all in the end, the last first.

    Args:
        logs: The folder for their logs.
    """

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._running: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # From here on a second Ctrl-C must not leave anything behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        # All are told before any is awaited to the end: an idle worker's long poll ends with the emulator.
        for child in reversed(self._running):
            child.tell()
        for child in reversed(self._running):
            child.end()

    def start(self, name: str, arguments: Sequence[str]) -> Child:
        """Start `cloudq` with these arguments, in the demo's environment as it is now."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(COMMAND), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is the demo's to answer
            )
        child = Child(name, process, log)
        self._running.append(child)
        return child

    def check(self) -> None:
        """Raise ChildDiedError if one has ended."""
        for child in self._running:
            child.check()
