"""Measures the emulator's SQS beside moto_server and a bare server, and writes the figures down.

Servers take turns within each round, so that whatever else the machine does hits all alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Final

import click

from benchmarks import report
from benchmarks.emulator import scaling, servers, waking
from benchmarks.emulator.rates import Bench, Rate
from benchmarks.emulator.servers import Server
from benchmarks.machine import describe
from benchmarks.wire import Wires

_OPERATIONS: Final = ("sends", "batches", "cycles")
_CONNECTIONS: Final = (1, 8)
_DEPTHS: Final = (0, scaling.SHALLOW)
_PACKAGES: Final = ("cloudq", "moto", "httptools", "orjson")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Args:
        rounds: Runs of each kind, of which the best counts.
        seconds: Length of each.
        depth: Messages of the deep queue.
        kept: Messages by whose memory one's is reckoned.
        wakes: Long polls that are woken.
        body_bytes: Size of the messages' bodies, but for the memory's, which are 1 KB.
    """

    rounds: int = 3
    seconds: float = 1.0
    depth: int = 1_000_000
    kept: int = 200_000
    wakes: int = 1_000
    body_bytes: int = 256


_QUICK: Final = Effort(rounds=1, seconds=0.3, depth=100_000, kept=20_000, wakes=100)


@click.command()
@click.option("--quick", is_flag=True, help="Half a minute, for a look; nothing is written down.")
def main(*, quick: bool) -> None:
    """Measure the emulator's SQS beside moto_server and beside a bare HTTP server."""
    effort = _QUICK if quick else Effort()
    results: dict[str, Any] = {"machine": describe(_PACKAGES), "body_bytes": effort.body_bytes}
    with ExitStack() as stack:
        contenders = [stack.enter_context(start()) for start in (servers.cloudq, servers.moto, servers.bare)]
        results["rates"] = _rates(contenders, effort)
        results["waking"] = [
            waking.waking(contenders[0], effort.wakes, effort.body_bytes),
            waking.waking(contenders[1], min(effort.wakes, 100), effort.body_bytes),
        ]
    with (
        TemporaryDirectory() as folder,
        servers.cloudq() as forgetful,
        servers.cloudq("--data", folder) as keeping,
    ):
        results["data"] = _kept([forgetful, keeping], effort)
    results["memory"] = scaling.memory(effort.kept, 1_024)
    results["flatness"] = scaling.flatness(effort.depth, effort.rounds, effort.seconds, effort.body_bytes)
    results["deep"] = effort.depth
    report.show("emulator", results)
    if not quick:
        report.save("emulator", results)


def _rates(contenders: Sequence[Server], effort: Effort) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for depth in _DEPTHS:
        click.echo(f"Filling queues of {depth:,} messages ...", err=True)
        benches = [Bench(server, depth, effort.body_bytes) for server in contenders]
        for connections in _CONNECTIONS:
            for operation in _OPERATIONS:
                best = _best(benches, operation, connections, effort)
                rows += [
                    {"depth": depth, "connections": connections, "operation": operation, **row}
                    for row in map(_row, contenders, best)
                ]
                click.echo(".", nl=False, err=True)
        click.echo(err=True)
    return rows


def _kept(contenders: Sequence[Server], effort: Effort) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    benches = [Bench(server, scaling.SHALLOW, effort.body_bytes) for server in contenders]
    for connections in _CONNECTIONS:
        for operation in _OPERATIONS:
            without, with_ = _best(benches, operation, connections, effort)
            rates = {"without": without.per_second, "with": with_.per_second}
            rows.append({"connections": connections, "operation": operation, **rates})
    return rows


def _best(benches: Sequence[Bench], operation: str, connections: int, effort: Effort) -> list[Rate]:
    runs: list[list[Rate]] = [[] for _ in benches]
    for _ in range(effort.rounds):
        for bench, rates in zip(benches, runs, strict=True):
            wires = Wires(bench.server.address, connections)
            rates.append(getattr(bench, operation)(wires, effort.seconds))
            wires.close()
    return [max(rates, key=lambda rate: rate.per_second) for rates in runs]


def _row(server: Server, rate: Rate) -> dict[str, Any]:
    # moto_server answers each request on a thread of its own, whose CPU time is gone when it ends.
    cpu = None if server.name == "moto_server" else rate.cpu_each
    return {"server": server.name, "per_second": rate.per_second, "cpu": cpu}


if __name__ == "__main__":
    main()
