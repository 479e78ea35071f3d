"""What the figures were measured on, as far as a reader needs it to judge them; nothing that names a host."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from cloudq.clock import SystemClock


def describe(packages: Sequence[str]) -> dict[str, str | int]:
    """The machine, the interpreter, the day, and the versions of `packages`."""
    described: dict[str, str | int] = {
        "date": datetime.fromtimestamp(SystemClock().now(), UTC).date().isoformat(),
        "cores": os.cpu_count() or 1,
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
    }
    return {**described, **{package: version(package) for package in packages}}


def peers() -> dict[str, str]:
    """The versions of what is in the peers' environment."""
    pinned = (Path(__file__).parent / "peers.txt").read_text().split()
    return {name.partition("[")[0]: number for name, _, number in (line.partition("==") for line in pinned)}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
