"""The emulator as a process of its own, for tests that talk to it over HTTP and may block meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class EmulatorProcess:
    """A running emulator.

    Args:
        endpoint: Its address.
        environment: What clients of it have in their environment.
    """

    endpoint: str
    environment: dict[str, str]

    def control(self, method: str, path: str, content: object = None) -> dict:
        """Ask the control API."""
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def pass_time(self, seconds: float) -> None:
        """Move its clock."""
        self.control("POST", "/_cloudq/clock", {"advance": seconds})

    def requests(self) -> dict[str, int]:
        """How often each operation of SQS was asked for."""
        counts: dict[str, int] = {}
        for row in self.control("GET", "/_cloudq/requests")["requests"]:
            if row["service"] == "sqs":
                counts[row["operation"]] = counts.get(row["operation"], 0) + row["count"]
        return counts


@contextmanager
def emulator_process(*options: str) -> Iterator[EmulatorProcess]:
    """Run an emulator on a free port."""
    command = [sys.executable, "-m", "cloudq_emulator.cli", "--port", "0", "--json", *options]
    path = os.pathsep.join(["emulator", os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            said = json.loads(process.stdout.readline())
            yield EmulatorProcess(said["endpoint"], said["environment"])
        finally:
            process.terminate()
            process.communicate(timeout=20)
