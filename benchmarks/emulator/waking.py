"""How soon a waiting receive has what is sent."""

from __future__ import annotations

from statistics import median, quantiles
from time import perf_counter
from typing import Any, Final

from benchmarks.emulator.requests import Requests, create_queue, received_count
from benchmarks.emulator.servers import Server
from benchmarks.wire import Wire
from cloudq.clock import SystemClock

_SETTLING: Final = 0.01
"""Seconds that a receive is given to be waiting before the send."""


def waking(server: Server, count: int, size_bytes: int) -> dict[str, Any]:
    """Seconds from the send to the arrival of the receive's answer, on an idle server, `count` times."""
    server.ask(create_queue(server.host, "waking"))
    requests = Requests.of(server.host, "waking", size_bytes)
    receiver, sender = Wire(server.address), Wire(server.address)
    times = sorted(_once(requests, receiver, sender) for _ in range(count))
    receiver.close()
    sender.close()
    return {
        "server": server.name,
        "count": count,
        "median": median(times),
        "p99": quantiles(times, n=100)[98],
    }


def _once(requests: Requests, receiver: Wire, sender: Wire) -> float:
    receiver.send(requests.wait)
    SystemClock().sleep(_SETTLING)
    began = perf_counter()
    sender.send(requests.send)
    received = _answer(receiver)
    took = perf_counter() - began
    _answer(sender)
    if received_count(received) != 1:
        raise RuntimeError("a waiting receive got no message")
    receiver.exchange(requests.delete_batch(received))
    return took


def _answer(wire: Wire) -> bytes:
    while (answer := wire.receive()) is None:
        pass
    return answer
