"""What is declared on the server, also when several threads ask for it at once. No server."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from cloudq.brokers.rabbitmq import delays
from cloudq.brokers.rabbitmq.refusals import NOT_FOUND, RefusedError
from cloudq.brokers.rabbitmq.topology import NOTICED_AFTER, Topology
from cloudq.brokers.rabbitmq.urls import Address
from cloudq.queues import Queue

DELAY = 2.0


class Server:
    """Writes down what it is told, and lets the first two threads that bind an exchange meet."""

    def __init__(self):
        self.bound = []
        self._both = threading.Barrier(2)

    def call(self, method):
        if method.NAME == "Exchange.Bind":
            with contextlib.suppress(threading.BrokenBarrierError):  # one after the other
                self._both.wait(0.2)
            self.bound.append((method.source, method.destination))
        return SimpleNamespace(message_count=0)


def test_threads_that_ask_for_a_delay_at_once_leave_out_no_exchange_on_its_way():
    server = Server()
    topology = Topology(server.call, "classic", lambda _: None)

    with ThreadPoolExecutor(2) as pool:
        ways = list(pool.map(lambda _: topology.declare_delay("orders", DELAY), range(2)))

    topology.declare_delay("orders", 2 * DELAY)

    highest = max(delays.levels(2 * DELAY))
    assert ways == [delays.route(DELAY, "orders")] * 2
    assert set(server.bound) == {
        (delays.exchange(level), delays.exchange(level - 1)) for level in range(highest + 1)
    }


def test_delays_wait_in_quorum_queues_even_before_classic_ones():
    declared = {}

    def call(method):
        if method.NAME == "Queue.Declare" and not method.passive:
            declared[method.queue] = method.arguments
        return SimpleNamespace(message_count=0)

    topology = Topology(call, "classic", lambda _: None)
    topology.declare(Queue("orders"))
    topology.declare_delay("orders", DELAY)

    waiting = [arguments for name, arguments in declared.items() if ".delay." in name]
    assert declared["orders"]["x-queue-type"] == "classic"
    assert len(waiting) == len(delays.levels(DELAY))
    for arguments in waiting:
        assert arguments["x-queue-type"] == "quorum"
        assert arguments["x-dead-letter-strategy"] == "at-least-once"


def test_no_thread_sends_into_a_new_queue_before_the_server_has_written_it_down():
    waiting, written, told = threading.Event(), threading.Event(), threading.Event()

    def wait(_: float) -> None:
        waiting.set()
        written.wait(5)

    def call(method):
        if method.NAME == "Queue.Declare" and method.passive:
            raise RefusedError(NOT_FOUND, "no queue", Address())
        return Server().call(method)

    topology = Topology(call, "quorum", wait)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(topology.declare_delay, "orders", DELAY)
        assert waiting.wait(5)
        second = pool.submit(topology.declare_delay, "orders", DELAY)
        second.add_done_callback(lambda _: told.set())
        is_early = told.wait(0.1)
        written.set()
        first.result(5)
        second.result(5)

    assert not is_early


def test_a_queue_that_was_found_gone_is_made_again_only_when_its_consumers_know():
    waits = []
    topology = Topology(Server().call, "quorum", waits.append)
    queue = Queue("orders")
    topology.declare(queue)
    topology.forget(queue.name)

    topology.declare(queue)
    topology.declare(queue)

    assert waits == [NOTICED_AFTER]
