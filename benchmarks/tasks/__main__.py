"""Runs every contender, turn by turn, and writes the figures down, broker by broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

import click

from benchmarks import report, task_queues
from benchmarks.machine import describe, peers
from benchmarks.tasks.contenders import BROKERS, CONTENDERS, Contender
from benchmarks.tasks.contest import Outcome, compete
from benchmarks.tasks.disk import syncs_per_second
from benchmarks.tasks.merging import merged
from benchmarks.workers import StalledError

_COUNT = 30_000
_ROUNDS = 3


@click.command()
@click.option("--quick", is_flag=True, help="A thousand tasks, one round; nothing is written down.")
@click.option("--tasks", type=int, help="How many; the default is 30,000. Nothing is written down.")
@click.option("--only", type=click.Choice(BROKERS), help="This broker's contenders alone.")
def main(*, quick: bool, tasks: int | None, only: str | None) -> None:
    """Measure cloudq's worker and sender beside those of other task queues."""
    if not task_queues.INSTALLED:
        raise click.ClickException("the peers aren't installed: make bench-tasks does it")
    count, rounds = tasks or (1000 if quick else _COUNT), 1 if quick else _ROUNDS
    machine = {**describe(["cloudq"]), **peers()}
    for broker in [only] if only else BROKERS:
        fresh: dict[str, Any] = {"machine": machine, "rows": _measure(broker, count, rounds)}
        if broker == "sqlite":
            fresh["syncs"] = syncs_per_second()
        for row in fresh["rows"]:
            row["date"] = machine["date"]
        report.show("tasks", fresh)
        if not (quick or tasks):
            report.save("tasks", merged(report.saved("tasks"), fresh, broker))


def _measure(broker: str, count: int, rounds: int) -> list[dict[str, Any]]:
    contenders = [one for one in CONTENDERS if one.broker == broker]
    outcomes: list[list[Outcome]] = [[] for _ in contenders]
    for number in range(rounds):
        for contender, mine in zip(contenders, outcomes, strict=True):
            click.echo(f"{contender.place}, round {number + 1}, {contender.title}: ", nl=False, err=True)
            began = perf_counter()
            try:
                mine.append(compete(contender, round(count * contender.share)))
            except StalledError as error:
                click.echo(error, err=True)
            else:
                click.echo(f"{_told(mine[-1])} ({perf_counter() - began:.0f} s)", err=True)
    return [
        _row(contender, mine, round(count * contender.share))
        for contender, mine in zip(contenders, outcomes, strict=True)
        if mine
    ]


def _told(outcome: Outcome) -> str:
    many = f", {outcome.sent_many:,.0f}/s with one call" if outcome.sent_many else ""
    ages = (
        f", p50 {outcome.ages[0] / 1000:.2f} ms, p99 {outcome.ages[1] / 1000:.2f} ms" if outcome.ages else ""
    )
    naps = f", naps {outcome.naps:,.0f}/s" if outcome.naps else ""
    twice = f", {outcome.twice} run twice" if outcome.twice else ""
    return f"drained {outcome.drained:,.0f}/s, sent {outcome.sent:,.0f}/s{many}{ages}{naps}{twice}"


def _row(contender: Contender, outcomes: Sequence[Outcome], count: int) -> dict[str, Any]:
    """The best of a contender's rounds, figure by figure."""
    ages = [one.ages for one in outcomes if one.ages]
    return {
        "title": contender.title,
        "broker": contender.place,
        "count": count,
        "sent": max(one.sent for one in outcomes),
        "sent_many": max((one.sent_many for one in outcomes if one.sent_many), default=None),
        "drained": max(one.drained for one in outcomes),
        "cpu": min(one.cpu for one in outcomes),
        "naps": max((one.naps for one in outcomes if one.naps), default=None),
        "ages": [min(figures) for figures in zip(*ages, strict=True)],
        "rounds": [asdict(one) for one in outcomes],
    }


if __name__ == "__main__":
    main()
