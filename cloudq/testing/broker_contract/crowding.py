"""Many messages, many threads, consumers that are killed: nothing is lost."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from cloudq.delivery import Delivery, Settled
from cloudq.queues import Queue
from cloudq.testing.broker_contract.suite import Suite, TestedBroker, outgoing, send
from cloudq.testing.steps import PassTime

CONSUMERS = 4
KILLED = 7
"""Every seventh batch is dropped: received, and never settled."""

KILLING_ROUNDS = 2
ROUNDS = 8
"""After each of which time passes, so that what was dropped returns."""


class Crowding(Suite):
    """Competition."""

    crowd: ClassVar[int] = 10_000

    def test_no_message_is_lost_among_consumers_that_are_killed(
        self, broker: TestedBroker, queue: Queue, pass_time: PassTime
    ) -> None:
        for start in range(0, self.crowd, 100):
            send(broker, queue, *(outgoing(str(start + number).encode()) for number in range(100)))
        settled: Counter[bytes] = Counter()

        for turn in range(ROUNDS):
            settled.update(self._consume(broker, queue, kills=turn < KILLING_ROUNDS))
            pass_time(self.lease)
            if len(settled) == self.crowd:
                break

        assert len(settled) == self.crowd
        if broker.limits.detects_lost_ack:
            assert set(settled.values()) == {1}
        assert self.look(broker, queue) == []

    def _consume(self, broker: TestedBroker, queue: Queue, *, kills: bool) -> list[bytes]:
        def consume() -> list[bytes]:
            settled: list[bytes] = []
            batch = 0
            while deliveries := self.look(broker, queue):
                batch += 1
                if not kills or batch % KILLED:
                    settled += _acked(broker, deliveries)
            return settled

        return _in_threads(CONSUMERS, consume)

    def test_threads_may_send_and_receive_at_once(self, broker: TestedBroker, queue: Queue) -> None:
        def work() -> list[bytes]:
            settled: list[bytes] = []
            for _ in range(20):
                send(broker, queue, outgoing(), outgoing())
                settled += _acked(broker, self.look(broker, queue, limit=1))
            return settled

        done = len(_in_threads(CONSUMERS, work))

        stats = broker.stats(queue.name)
        assert done + stats.ready == CONSUMERS * 40
        assert stats.leased == 0


def _acked(broker: TestedBroker, deliveries: list[Delivery]) -> list[bytes]:
    answers = zip(deliveries, broker.ack(deliveries), strict=True)
    return [delivery.body for delivery, answer in answers if answer == Settled()]


def _in_threads(count: int, work: Callable[[], list[bytes]]) -> list[bytes]:
    with ThreadPoolExecutor(count) as pool:
        parts = [pool.submit(work) for _ in range(count)]
        return [body for part in parts for body in part.result()]
