"""What a caller is told where something answers that isn't a RabbitMQ server in good health."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from cloudq.brokers.rabbitmq import connect
from cloudq.clock import SystemClock
from cloudq.delivery import Outgoing
from cloudq.errors import BrokerUnavailableError


def reset(connection: socket.socket) -> None:
    connection.recv(1)  # whoever connects has been let in, and waits for an answer
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    connection.recv(100)


@contextlib.contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listens and answers every connection so, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(reset, r"was lost at its beginning .*reset by peer.*amqps://\?$", id="reset"),
        pytest.param(hang_up, r"hung up .*amqps://\?$", id="hung up"),
    ],
)
def test_a_connection_that_fails_as_it_begins_means_that_the_broker_is_unavailable(answer, why):
    with server(answer) as port:
        broker = connect(f"amqp://127.0.0.1:{port}?timeout=5", clock=SystemClock())

        with pytest.raises(BrokerUnavailableError, match=why):
            broker.send("any", [Outgoing("1", b"{}")])
