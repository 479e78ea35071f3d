"""The emulator's figures as tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.plots import bars
from benchmarks.report import Table

_NAMES: Final = {
    "sends": "SendMessage",
    "batches": "SendMessageBatch of 10",
    "cycles": "ReceiveMessage of 10, DeleteMessageBatch",
}
_SERVERS: Final = ("cloudq", "moto_server", "bare asyncio")


def tables(results: Mapping[str, Any]) -> Sequence[Table]:
    """One table each for rates, for what depth does to them, and for the rest."""
    return [_rates(results), _flatness(results), _data(results), _rest(results)]


def plot(results: Mapping[str, Any], folder: Path) -> Sequence[tuple[str, str]]:
    """The rates, on a logarithmic axis: else two of three could not be seen."""
    cases = _cases(results)
    groups = [_label(case) for case in cases]
    series = {server: [case[server]["per_second"] for case in cases.values()] for server in _SERVERS}
    title = "SQS requests a second"
    bars(folder / "emulator.svg", title, groups, series, unit="requests/s", log=True)
    return [("emulator.svg", title)]


def _cases(results: Mapping[str, Any]) -> dict[tuple[str, int, int], dict[str, Any]]:
    cases: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in results["rates"]:
        cases.setdefault((row["operation"], row["depth"], row["connections"]), {})[row["server"]] = row
    return dict(sorted(cases.items(), key=lambda case: (list(_NAMES).index(case[0][0]), case[0][1:])))


def _label(case: tuple[str, int, int]) -> str:
    operation, depth, connections = case
    return f"{_NAMES[operation]}\ndepth {depth:,}, {connections} connection{'s' if connections > 1 else ''}"


def _rates(results: Mapping[str, Any]) -> Table:
    header = (
        "operation", "depth", "connections", "cloudq", "moto_server", "bare asyncio",
        "to moto_server", "to bare", "CPU each", "bare's CPU each",
    )  # fmt: skip
    rows: list[Sequence[str]] = []
    for (operation, depth, connections), case in _cases(results).items():
        ours, moto, bare = (case[server] for server in _SERVERS)
        rows.append(
            (
                _NAMES[operation],
                f"{depth:,}",
                str(connections),
                *(f"{row['per_second']:,.0f}/s" for row in (ours, moto, bare)),
                f"{ours['per_second'] / moto['per_second']:,.0f}",
                f"{ours['per_second'] / bare['per_second']:.2f}",
                f"{ours['cpu'] * 1e6:.0f} µs",
                f"{bare['cpu'] * 1e6:.0f} µs",
            )
        )
    return Table(f"Requests a second, bodies of {results['body_bytes']} bytes", header, rows)


def _flatness(results: Mapping[str, Any]) -> Table:
    deep = f"{results['deep']:,}"
    rows = [
        (
            _NAMES[row["operation"]],
            f"{row['shallow_per_second']:,.0f}/s",
            f"{row['deep_per_second']:,.0f}/s",
            f"{row['shallow_cpu'] * 1e6:.0f} µs",
            f"{row['deep_cpu'] * 1e6:.0f} µs",
            f"{row['ratio']:.2f}",
        )
        for row in results["flatness"]
    ]
    header = ("operation", "depth 1,000", f"depth {deep}", "CPU at 1,000", f"CPU at {deep}", "CPU, ratio")
    return Table(f"With {deep} messages in the queue, one connection", header, rows)


def _data(results: Mapping[str, Any]) -> Table:
    rows = [
        (
            _NAMES[row["operation"]],
            str(row["connections"]),
            f"{row['without']:,.0f}/s",
            f"{row['with']:,.0f}/s",
            f"{row['with'] / row['without']:.2f}",
        )
        for row in results["data"]
    ]
    header = ("operation", "connections", "in memory", "with --data", "ratio")
    return Table("Keeping queues on disk, at depth 1,000", header, rows)


def _rest(results: Mapping[str, Any]) -> Table:
    memory = results["memory"]
    rows = [
        (
            f"memory of a queued message with a body of {memory['body_bytes']:,} bytes",
            f"{memory['bytes_each']:,.0f} bytes",
        )
    ]
    for row in results["waking"]:
        what = f"from a send to the answer of a receive that waits, {row['server']}"
        rows.append((what, f"median {row['median'] * 1e3:.2f} ms, p99 {row['p99'] * 1e3:.2f} ms"))
    return Table("Memory and waking", ("what", "figure"), rows)
