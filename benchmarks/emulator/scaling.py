"""Does it stay as fast and as small as a queue grows?"""

from __future__ import annotations

from typing import Any

from benchmarks.emulator.rates import Bench, Rate
from benchmarks.emulator.requests import BATCH
from benchmarks.emulator.servers import cloudq
from benchmarks.processes import resident_bytes
from benchmarks.wire import Wires

SHALLOW = 1_000


def flatness(depth: int, rounds: int, seconds: float, size_bytes: int) -> list[dict[str, Any]]:
    """The rates on a queue of `SHALLOW` messages and on one of `depth`, both in one server, turn by turn."""
    with cloudq() as server:
        benches = [Bench(server, SHALLOW, size_bytes), Bench(server, depth, size_bytes)]
        wires = Wires(server.address, 1)
        rows = [
            _row(operation, *(_cheapest(benches, operation, wires, rounds, seconds)))
            for operation in ("sends", "batches", "cycles")
        ]
        wires.close()
    return rows


def memory(count: int, size_bytes: int) -> dict[str, Any]:
    """What a waiting message takes, in bytes."""
    with cloudq() as server:
        Bench(server, BATCH, size_bytes)  # what the first requests load isn't the messages'
        before = resident_bytes(server.pid)
        Bench(server, count, size_bytes)
        after = resident_bytes(server.pid)
    return {"messages": count, "body_bytes": size_bytes, "bytes_each": (after - before) / count}


def _cheapest(
    benches: list[Bench], operation: str, wires: Wires, rounds: int, seconds: float
) -> tuple[Rate, Rate]:
    runs = [[getattr(bench, operation)(wires, seconds) for bench in benches] for _ in range(rounds)]
    shallow, deep = (min(column, key=lambda rate: rate.cpu_each) for column in zip(*runs, strict=True))
    return shallow, deep


def _row(operation: str, shallow: Rate, deep: Rate) -> dict[str, Any]:
    return {
        "operation": operation,
        "shallow_per_second": shallow.per_second,
        "deep_per_second": deep.per_second,
        "shallow_cpu": shallow.cpu_each,
        "deep_cpu": deep.cpu_each,
        "ratio": deep.cpu_each / shallow.cpu_each,
    }
