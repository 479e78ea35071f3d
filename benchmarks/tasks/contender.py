"""What takes part in a contest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PEERS: Final = Path(".venv-peers/bin").absolute()
OURS: Final = Path(sys.executable).parent
MODULES: Final = "benchmarks.tasks.contenders"
OUR_WORKER: Final = ("cloudq", "worker", "-A", f"{MODULES}.ours:app", "-c", "2", "-l", "warning")


@dataclass(frozen=True, slots=True)
class Contender:
    """A task queue on a broker.

    Args:
        title: What tables call it.
        module: Its module in `contenders`.
        broker: what tables put together: ``sqlite``, ``sqs``, ``rabbitmq-quorum``.
        command: What starts its worker with two children.
        bin: The environment it lives in.
        url: Its broker's address, made of a path, an endpoint or a server's address.
        bulk: Whether it can send many with one call.
        napping: What starts its worker with fifty tasks at once; empty where that isn't measured.
    """

    title: str
    module: str
    broker: str
    command: Sequence[str]
    bin: Path = PEERS
    url: str = "{}"
    bulk: bool = False
    napping: Sequence[str] = ()
