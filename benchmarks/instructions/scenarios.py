"""What is counted: each scenario is done a number of times in a process under callgrind.

python -m benchmarks.instructions.scenarios NAME COUNT
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.emulator.requests import Requests, create_queue

if TYPE_CHECKING:
    from cloudq.app import App

_HOST: Final = "127.0.0.1:4566"
_BODY: Final = 256


class _Answers(asyncio.Transport):
    """Keeps what a connection writes."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.last = bytes(data)

    def is_closing(self) -> bool:
        return False


class _Emulator:
    """SQS from the bytes of a request to the bytes of its answer, without sockets and without moto."""

    def __init__(self) -> None:
        from cloudq_emulator.caller import Callers
        from cloudq_emulator.clock import MovableClock
        from cloudq_emulator.counts import RequestCounts
        from cloudq_emulator.http import Connection
        from cloudq_emulator.sqs.door import SqsDoor
        from cloudq_emulator.sqs.service import SqsService

        callers, door = Callers("000000000000"), SqsDoor(SqsService(MovableClock()), RequestCounts())
        self._answers = _Answers()
        self._connection = Connection(
            lambda request: door.answer_json(request, callers.of(request)), door.refuse_unreadable, set()
        )
        self._connection.connection_made(self._answers)
        self.ask(create_queue(_HOST, "work"))
        self.requests = Requests.of(_HOST, "work", _BODY)

    def ask(self, request: bytes) -> bytes:
        self._connection.data_received(request)
        return self._answers.last


def _send(count: int) -> None:
    emulator = _Emulator()
    for _ in range(count):
        emulator.ask(emulator.requests.send)


def _send_batch(count: int) -> _Emulator:
    emulator = _Emulator()
    for _ in range(count):
        emulator.ask(emulator.requests.send_batch)
    return emulator


def _receive(count: int) -> None:
    emulator = _send_batch(count)
    for _ in range(count):
        emulator.ask(emulator.requests.receive)


def _build(count: int) -> None:
    # The client's part of a delete, to be taken off it.
    emulator = _send_batch(count)
    for _ in range(count):
        emulator.requests.delete_batch(emulator.ask(emulator.requests.receive))


def _delete(count: int) -> None:
    emulator = _send_batch(count)
    for _ in range(count):
        emulator.ask(emulator.requests.delete_batch(emulator.ask(emulator.requests.receive)))


def _delay(count: int) -> App:
    from cloudq import App

    app = App("bench", broker="memory://", backend="memory://", environ={})

    @app.task
    def add(left: int, right: int) -> int:
        return left + right

    for number in range(count):
        add.delay(number, 1)
    return app


def _run(count: int) -> None:
    from cloudq.testing.inline import InlineWorker

    InlineWorker(_delay(count)).drain()


def _hold(count: int) -> None:
    from cloudq.delivery import Delivery, Done, Execution, Settled
    from cloudq.worker.ledger import Ledger

    ledger = Ledger(lease=60.0, must_keep=lambda _: True)
    for child in (1, 2):
        ledger.join(child, 5)
    deliveries = [Delivery("work", str(number), b"{}", "receipt", 1) for number in range(10)]
    done = Execution(Done(), "id", "add", seconds=0.001)
    for now in map(float, range(count)):
        ledger.room()
        ledger.admit(deliveries, now)
        for holdings in ledger.assign(now).values():
            for holding in holdings:
                ledger.finish(holding.tag, done)
        for holding in ledger.due_records(now):
            ledger.kept(holding.tag, done, now)
        ledger.settle_at()
        for holding in ledger.due_settlements(now):
            ledger.settled(holding.tag, Settled(), now)


def _delay_many(count: int) -> None:
    from cloudq import App

    app = App("bench", broker="memory://", environ={})

    @app.task
    def add(left: int, right: int) -> int:
        return left + right

    add.delay_many((number, 1) for number in range(count))


def _send_to_redis(count: int) -> None:
    from cloudq.brokers.redis.batches import sending
    from cloudq.delivery import Outgoing

    for number in range(count):
        sending("q", "cloudq:1:{q}", [Outgoing(f"{number:036}", b"." * _BODY)], 0)


def _execute(count: int) -> None:
    from cloudq import App
    from cloudq.codec import encode
    from cloudq.execution import Context, execute
    from cloudq.message import Message

    app = App("bench", broker="memory://", environ={})

    @app.task(name="add")
    def add(left: int, right: int) -> int:
        return left + right

    body, context = encode(Message("1", "add", (1, 2), sent="2027-01-15T08:00:00.000000Z")), Context("q")
    for _ in range(count):
        execute(app, body, context)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is counted.

    Args:
        name: What the table calls it.
        do: Does it a number of times, and what has to come before it as often.
        without: The scenario that is only what has to come before.
    """

    name: str
    do: Callable[[int], object]
    without: str = ""


SCENARIOS: Final = {
    "send": Scenario("emulator: SendMessage", _send),
    "send_batch": Scenario("emulator: SendMessageBatch of 10", _send_batch),
    "receive": Scenario("emulator: ReceiveMessage of 10", _receive, "send_batch"),
    "build": Scenario("", _build, "receive"),
    "delete": Scenario("emulator: DeleteMessageBatch of 10", _delete, "build"),
    "delay": Scenario("cloudq: `delay()` on memory://", _delay),
    "delay_many": Scenario("cloudq: each call of `delay_many()` on memory://", _delay_many),
    "send_to_redis": Scenario("cloudq: a message as Redis is sent it, up to the socket", _send_to_redis),
    "execute": Scenario("cloudq: a child's part of a run, without results", _execute),
    "run": Scenario("cloudq: receive, execute, result, ack on memory://", _run, "delay"),
    "hold": Scenario("cloudq: a worker's ledger, ten messages from receive to ack", _hold),
}
"""All by name; one without a title only serves the next."""

if __name__ == "__main__":
    SCENARIOS[sys.argv[1]].do(int(sys.argv[2]))
