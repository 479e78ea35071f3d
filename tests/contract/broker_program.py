"""What the processes of `test_processes.py` do: `broker_program.py WHAT URL QUEUE`, one line per event."""

from __future__ import annotations

import importlib
import os
import sys
from threading import Thread

from cloudq.clock import SystemClock
from cloudq.delivery import Outgoing
from cloudq.queues import Queue

NAME = sys.argv[3] if len(sys.argv) > 3 else ""
LEASE = 2.5


def connect(url):
    scheme = url.partition(":")[0]
    broker = importlib.import_module(f"cloudq.brokers.{'rabbitmq' if scheme == 'amqp' else scheme}")
    return broker.connect(url, clock=SystemClock())


def say(*words: object) -> None:
    # Not through sys.stdout: its lock may be held by another thread at a fork, and for ever in the child.
    os.write(sys.stdout.fileno(), f"{' '.join(map(str, words))}\n".encode())


def send_for_ever(broker):
    number = 0
    while True:
        broker.send(NAME, [Outgoing(str(number), b"%d" % number)])
        say(number)
        number += 1


def send_some(broker):
    for number in range(20):
        body = f"{os.getpid()}-{number}"
        broker.send(NAME, [Outgoing(body, body.encode())])
        say(body)


def send_one(broker):
    broker.send(NAME, [Outgoing("late", b"late")])


def consume(broker):
    while deliveries := broker.receive([NAME], limit=10, lease=LEASE, wait=LEASE + 1):
        for delivery in deliveries:
            say(delivery.body.decode())
        broker.ack(deliveries)


def hang(broker):
    """Settle one batch, and stop in the midst of the next."""
    for is_last in (False, True):
        deliveries = broker.receive([NAME], limit=10, lease=LEASE, wait=LEASE)
        for delivery in deliveries:
            say(delivery.body.decode())
        if not is_last:
            broker.ack(deliveries)
    sys.stdin.read()


def fork(broker):
    """Fork in the middle of another thread's sends; parent and children go on with the same broker."""
    sending = Thread(target=send_some, args=(broker,))
    sending.start()
    children = []
    for _ in range(3):
        if child := os.fork():
            children.append(child)
        else:
            send_some(broker)
            os._exit(0)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    sending.join()
    send_some(broker)
    sys.exit(any(statuses))


def outlive(broker):
    """Fork, let the parent be the one who closes first, and go on in the child."""
    broker.send(NAME, [Outgoing("before", b"before")])
    sent_reader, sent_writer = os.pipe()
    closed_reader, closed_writer = os.pipe()
    child = os.fork()
    if not child:
        broker.send(NAME, [Outgoing("open", b"open")])
        os.write(sent_writer, b"!")
        os.read(closed_reader, 1)
        broker.send(NAME, [Outgoing("closed", b"closed")])
        os._exit(0)
    os.read(sent_reader, 1)
    broker.close()
    os.write(closed_writer, b"!")
    sys.exit(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    what, url = sys.argv[1:3]
    broker = connect(url)
    broker.declare(Queue(NAME))
    globals()[what](broker)
