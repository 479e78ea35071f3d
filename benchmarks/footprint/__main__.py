"""Weighs cloudq and its peers, and writes the figures down."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import click

from benchmarks import report, task_queues
from benchmarks.footprint import importing, memory
from benchmarks.machine import describe, peers
from benchmarks.task_queues import ARQ, CELERY, CLOUDQ, DRAMATIQ, HUEY, RQ, TASKIQ

_COUNTS: Final = (20_000, 200_000)
"""After how many tasks cloudq's memory is read, besides when its worker has started."""

_WORKERS: Final = (CLOUDQ, CELERY, DRAMATIQ, HUEY, TASKIQ, ARQ, RQ)
_IMPORTS: Final = (
    (CLOUDQ, "import cloudq"),
    (CLOUDQ, "from cloudq import App"),
    (CELERY, "from celery import Celery"),
    (DRAMATIQ, "import dramatiq"),
    (HUEY, "from huey import RedisHuey"),
    (TASKIQ, "import taskiq"),
    (ARQ, "import arq"),
    (RQ, "import rq"),
)


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the tasks, cloudq alone; nothing is written down.")
def main(*, quick: bool) -> None:
    """Weigh workers and imports, cloudq's and the peers'."""
    if not task_queues.INSTALLED:
        raise click.ClickException("the peers aren't installed: make bench-footprint does it")
    imports, weights = list[importing.Import](), list[memory.Memory]()
    for queue, statement in _IMPORTS:
        if not quick or queue is CLOUDQ:
            click.echo(f"{statement} ...", err=True)
            imports.append(importing.measure(queue.bin, statement))
    counts = [count // 10 for count in _COUNTS] if quick else _COUNTS
    for queue in _WORKERS:
        if not quick or queue is CLOUDQ:
            click.echo(f"Memory of {queue.title} ...", err=True)
            weights.append(memory.measure(queue, counts if queue is CLOUDQ else ()))
    results = {
        "machine": {**describe(["cloudq"]), **peers()},
        "memory": [asdict(one) for one in weights],
        "counts": counts,
        "imports": [asdict(one) for one in imports],
    }
    report.show("footprint", results)
    if not quick:
        report.save("footprint", results)


if __name__ == "__main__":
    main()
