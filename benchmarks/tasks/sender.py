"""Sends tasks in a process of its own and says how long it took.

python -m benchmarks.tasks.sender CONTENDER one_by_one|many COUNT
"""

from __future__ import annotations

import importlib
import json
import sys
from time import perf_counter


def main(contender: str, how: str, count: int) -> None:
    """Send `count` tasks; one before that makes connections and queues and isn't timed."""
    module = importlib.import_module(f"benchmarks.tasks.contenders.{contender}")
    send = getattr(module, how)
    send(1)
    began = perf_counter()
    send(count)
    sys.stdout.write(json.dumps({"seconds": perf_counter() - began}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
