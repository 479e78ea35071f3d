"""Requests per second, the queue's depth held where it is said to be.

What is timed comes in slices. Between them, and off the clock, a slice's messages are taken out again (after
sends) or put in (before receives).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

from benchmarks.emulator.requests import BATCH, Requests, create_queue, received_count
from benchmarks.emulator.servers import Server
from benchmarks.processes import cpu_seconds
from benchmarks.wire import Session, Wires

_SLICE: Final = 1_000
"""Messages that a slice of sends adds at most."""

_names = itertools.count()


@dataclass(slots=True)
class Rate:
    """What one run came to.

    Args:
        requests: Requests answered on the clock.
        seconds: Time they took.
        cpu: CPU seconds of the server meanwhile.
    """

    requests: int = 0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_each(self) -> float:
        """Seconds of the server's CPU for one request."""
        return self.cpu / self.requests


@dataclass(slots=True)
class Bench:
    """One server's queue of one depth, and the connections to it.

    Args:
        server: The server.
        depth: Messages that wait in the queue.
        size_bytes: The size of their bodies.
    """

    server: Server
    depth: int
    size_bytes: int
    requests: Requests = field(init=False)

    def __post_init__(self) -> None:
        name = f"bench-{next(_names)}"
        self.server.ask(create_queue(self.server.host, name))
        self.requests = Requests.of(self.server.host, name, self.size_bytes)
        wires = Wires(self.server.address, 1)
        self._put(wires, self.depth // BATCH)
        wires.close()

    def sends(self, wires: Wires, seconds: float) -> Rate:
        """SendMessage for about `seconds`."""
        return self._sends(wires, seconds, self.requests.send, 1)

    def batches(self, wires: Wires, seconds: float) -> Rate:
        """SendMessageBatch of ten for about `seconds`."""
        return self._sends(wires, seconds, self.requests.send_batch, BATCH)

    def cycles(self, wires: Wires, seconds: float) -> Rate:
        """ReceiveMessage of ten and DeleteMessageBatch of those, for about `seconds`."""
        rate = Rate()
        while rate.seconds < seconds:
            self._put(wires, len(wires))
            self._timed(rate, lambda: wires.run(lambda: self._cycle(rate)))
        return rate

    def _sends(self, wires: Wires, seconds: float, request: bytes, messages: int) -> Rate:
        rate = Rate()
        while rate.seconds < seconds:
            budget = _Budget(_SLICE // messages, perf_counter() + seconds - rate.seconds)
            self._timed(rate, lambda budget=budget: wires.run(lambda: budget.spend(request)))
            rate.requests += budget.spent
            self._take(wires, budget.spent * messages)
        return rate

    def _timed(self, rate: Rate, run: Callable[[], None]) -> None:
        cpu, began = cpu_seconds(self.server.pid), perf_counter()
        run()
        rate.seconds += perf_counter() - began
        rate.cpu += cpu_seconds(self.server.pid) - cpu

    def _cycle(self, rate: Rate) -> Session:
        received = yield self.requests.receive
        count = received_count(received)
        if self.server.keeps_messages and count != BATCH:
            raise RuntimeError(f"{self.server.name} gave {count} of {BATCH} messages")
        yield self.requests.delete_batch(received)
        rate.requests += 2

    def _put(self, wires: Wires, batches: int) -> None:
        if self.server.keeps_messages:
            budget = _Budget(batches)
            wires.run(lambda: budget.spend(self.requests.send_batch))

    def _take(self, wires: Wires, messages: int) -> None:
        if not self.server.keeps_messages:
            return
        left = messages

        def take() -> Session:
            nonlocal left
            while left > 0:
                received = yield self.requests.receive
                left -= received_count(received)
                yield self.requests.delete_batch(received)

        wires.run(take)


@dataclass(slots=True)
class _Budget:
    """How many requests a slice has, for all its connections.

    Args:
        limit: The number.
        until: When it is over in any case.
    """

    limit: int
    until: float = float("inf")
    spent: int = 0

    def spend(self, request: bytes) -> Session:
        while self.spent < self.limit and perf_counter() < self.until:
            self.spent += 1
            answer = yield request
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"refused: {answer.decode()}")
