"""Runs every contender, turn by turn, and writes the figures down."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from benchmarks import report
from benchmarks.machine import describe
from benchmarks.tasks.contender import PEERS, Contender
from benchmarks.tasks.contest import CONTENDERS, Outcome, compete

_COUNT = 10_000
_ROUNDS = 3


@click.command()
@click.option("--quick", is_flag=True, help="A thousand tasks, one round; nothing is written down.")
@click.option("--tasks", type=int, help="How many; the default is 10,000.")
@click.option(
    "--only",
    type=click.Choice(["sqlite", "sqs", "redis", "rabbitmq"]),
    help="This broker's contenders alone.",
)
def main(*, quick: bool, tasks: int | None, only: str | None) -> None:
    """Measure cloudq's worker and sender beside those of other task queues."""
    if not PEERS.exists():
        raise click.ClickException("the peers aren't installed: make bench-tasks does it")
    count, rounds = (_COUNT // 10, 1) if quick else (_COUNT, _ROUNDS)
    count = tasks or count
    contenders = [one for one in CONTENDERS if only in {None, one.broker.partition("-")[0]}]
    outcomes: list[list[Outcome]] = [[] for _ in contenders]
    for number in range(rounds):
        for contender, mine in zip(contenders, outcomes, strict=True):
            click.echo(f"Round {number + 1}: {contender.title} on {contender.broker} ...", err=True)
            mine.append(compete(contender, count))
    rows = [_row(*pair) for pair in zip(contenders, outcomes, strict=True)]
    results = {"machine": {**describe(["cloudq"]), **_peers()}, "tasks": count, "rows": rows}
    report.show("tasks", results, save=not (quick or tasks or only))


def _row(contender: Contender, outcomes: list[Outcome]) -> dict[str, Any]:
    """The best of a contender's rounds, figure by figure."""
    best = {
        "sent": max(one.sent for one in outcomes),
        "sent_many": max((one.sent_many for one in outcomes if one.sent_many), default=None),
        "drained": max(one.drained for one in outcomes),
        "cpu": min(one.cpu for one in outcomes),
        "naps": max((one.naps for one in outcomes if one.naps), default=None),
        "ages": min((_ages(one) for one in outcomes if one.ages), default=None),
    }
    rounds = [{**asdict(one), "ages": _ages(one)} for one in outcomes]
    return {"title": contender.title, "broker": contender.broker, **best, "rounds": rounds}


def _ages(outcome: Outcome) -> list[int]:
    """The median and the 99th percentile, in microseconds."""
    ordered = sorted(outcome.ages)
    return [ordered[int(len(ordered) * part)] for part in (0.5, 0.99)] if ordered else []


def _peers() -> dict[str, str]:
    pinned = (Path(__file__).parent / "peers.txt").read_text().split()
    return {name.partition("[")[0]: number for name, _, number in (line.partition("==") for line in pinned)}


if __name__ == "__main__":
    main()
