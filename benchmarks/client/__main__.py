"""Measures SendMessageBatch requests a second of one process, and writes them down."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from time import perf_counter, process_time
from typing import Any, Final

import click

from benchmarks import report
from benchmarks.emulator import servers
from benchmarks.machine import describe
from cloudq.brokers.sqs.boto import BotoTransport
from cloudq.brokers.sqs.lean.credentials import EnvironmentCredentials
from cloudq.brokers.sqs.lean.places import Place
from cloudq.brokers.sqs.lean.transport import LeanTransport
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import Transport
from cloudq.brokers.sqs.urls import SqsUrl
from cloudq.clock import SystemClock

_ROUNDS: Final = 5
_WARM: Final = 50
_ENTRIES: Final = [
    {"Id": str(number), "MessageBody": json.dumps({"v": 1, "id": "0" * 36, "task": "shop.tasks.add"})}
    for number in range(10)
]
_KEYS: Final = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of the requests; nothing is written down.")
def main(*, quick: bool) -> None:
    """Measure both, turn by turn, against a server that answers a constant; the best round of each."""
    count = 100 if quick else 1000
    os.environ.update(_KEYS)  # noqa: TID251 - it's there that boto3 looks
    with servers.bare() as server:
        endpoint = f"http://localhost:{server.address[1]}"
        place = Place(endpoint, "us-east-1", EnvironmentCredentials(_KEYS.get))
        transports: Mapping[str, Transport] = {
            "boto3": BotoTransport(SqsUrl("us-east-1", endpoint=endpoint)),
            "cloudq": LeanTransport(place, Names(), SystemClock()),
        }
        best = {name: (0.0, float("inf")) for name in transports}
        for _ in range(_ROUNDS):
            for name, transport in transports.items():
                rate, cpu = _measure(transport, endpoint, count)
                best[name] = max(best[name][0], rate), min(best[name][1], cpu)
    rows = [{"name": name, "per_second": rate, "cpu": cpu} for name, (rate, cpu) in best.items()]
    results = {"machine": describe(["cloudq", "boto3"]), "rows": rows}
    report.show("client", results)
    if not quick:
        report.save("client", results)


def _measure(transport: Transport, endpoint: str, count: int) -> tuple[float, float]:
    params: dict[str, Any] = {"QueueUrl": f"{endpoint}/000000000000/bench", "Entries": _ENTRIES}
    for _ in range(_WARM):
        transport.call("SendMessageBatch", **params)
    began, began_cpu = perf_counter(), process_time()
    for _ in range(count):
        transport.call("SendMessageBatch", **params)
    return count / (perf_counter() - began), (process_time() - began_cpu) / count


if __name__ == "__main__":
    main()
