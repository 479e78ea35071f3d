"""The scripts of the Redis broker, as read from `lua/`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cloudq.redis import Script

__all__ = [
    "ACK",
    "ACK_FIFO",
    "BURY",
    "EXTEND",
    "PEEK",
    "PURGE",
    "RECEIVE",
    "RELEASE",
    "SEND",
    "SEND_FIFO",
    "STATS",
]

_FOLDER = Path(__file__).parent / "lua"


def _script(name: str) -> Script:
    return Script("\n".join((_FOLDER / f"{part}.lua").read_text("utf-8") for part in ("queue", name)))


ACK: Final = _script("ack")
ACK_FIFO: Final = _script("ack_fifo")
BURY: Final = _script("bury")
EXTEND: Final = _script("extend")
PEEK: Final = _script("peek")
PURGE: Final = _script("purge")
RECEIVE: Final = _script("receive")
RELEASE: Final = _script("release")
SEND: Final = _script("send")
SEND_FIFO: Final = _script("send_fifo")
STATS: Final = _script("stats")
