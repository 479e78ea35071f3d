"""Who holds a port that is taken: asked over HTTP what it is, and looked up where the system tells."""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Final

_TIMEOUT: Final = 0.5
"""Seconds that whoever it is may take to answer."""
_LISTENING: Final = "0A"
"""A socket's state. Source: Linux, include/net/tcp_states.h, read 2026-11."""
_TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")


def holder(host: str, port: int) -> str:
    """Who it is, as far as can be found out; else who it might be: for after "by"."""
    what = _what(host, port)
    who = _process(port)
    if what and who:
        return f"{what} ({who})"
    return what or who or "perhaps another emulator, LocalStack or moto_server"


def _what(host: str, port: int) -> str:
    health = _answer(host, port, "/_localstack/health")
    if health.get("edition") == "cloudq":
        return "another cloudq emulator"
    if "services" in health:
        return "LocalStack"
    return "moto_server" if _answer(host, port, "/moto-api/data.json") else ""


def _answer(host: str, port: int, path: str) -> dict[str, object]:
    """The JSON object at a path; empty if there is none."""
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
    with contextlib.closing(connection), contextlib.suppress(OSError, ValueError, http.client.HTTPException):
        connection.request("GET", path)
        content = json.loads(connection.getresponse().read())
        return content if isinstance(content, dict) else {}
    return {}


def _process(port: int) -> str:
    """The process that listens, on a system with /proc and if it is ours to see."""
    sockets = {f"socket:[{inode}]" for table in _TABLES for inode in _listening(Path(table), port)}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(file.readlink()) in sockets for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()}, process {process.name}"
    return ""


def _listening(table: Path, port: int) -> list[str]:
    with contextlib.suppress(OSError):
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
        return [row[9] for row in rows if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port]
    return []
