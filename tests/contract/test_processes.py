from __future__ import annotations

import sys
import uuid
from collections import Counter
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from cloudq.delivery import Outgoing
from cloudq.queues import Queue, dead_letter_name
from cloudq.testing.steps import PATIENCE, in_thread, until
from tests.contract.broker_program import connect
from tests.rabbitmq_server import URL, delete, pika_connection
from tests.redis_server import redis_url

PROGRAM = Path(__file__).with_name("broker_program.py")
NAME = f"q-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["sqlite", "redis", "rabbitmq"])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/queue.db"
    elif request.param == "redis":
        with redis_url() as url:
            yield url
    else:
        pika_connection().close()
        yield URL
        delete(NAME, dead_letter_name(NAME))


@pytest.fixture
def broker(url):
    broker = connect(url)
    broker.declare(Queue(NAME))
    yield broker
    broker.close()


@pytest.fixture
def start(url, tmp_path):
    started = []

    def start(what):
        said = tmp_path / f"said-{len(started)}"
        with said.open("w") as out:
            process = Popen([sys.executable, PROGRAM, what, url, NAME], stdin=PIPE, stdout=out)
        started.append(process)
        return process, said

    yield start
    for process in started:
        process.kill()
        process.communicate()


def lines(*files):
    """What was said; a line that a kill cut short wasn't."""
    return [line for file in files for line in file.read_text().split("\n")[:-1]]


def bodies(broker):
    deliveries = broker.receive([NAME], limit=1000, lease=60, wait=0)
    return sorted(delivery.body.decode() for delivery in deliveries)


def test_what_was_sent_is_there_after_the_sender_is_killed(broker, start):
    process, said = start("send_for_ever")
    until(lambda: len(lines(said)) >= 30, "messages sent")
    process.kill()
    process.wait()

    sent = set(lines(said))

    assert sent <= set(bodies(broker))


def test_nothing_is_lost_when_consumers_are_killed(broker, start):
    count = 2000
    broker.send(NAME, [Outgoing(str(number), b"%d" % number) for number in range(count)])

    for what in ("hang", "consume"):
        process, said = start(what)
        until(lambda said=said: len(lines(said)) >= 20, "messages consumed")
        process.kill()
    survivors = [start("consume") for _ in range(2)]
    for process, _ in survivors:
        assert process.wait(30) == 0

    consumed = Counter(lines(*said.parent.glob("said-*")))
    assert set(consumed) == {str(number) for number in range(count)}
    assert consumed.total() <= count + 20  # what the two that were killed held
    stats = broker.stats(NAME)
    assert (stats.ready, stats.leased) == (0, 0)


def test_processes_may_begin_at_once(url, start):
    started = [start("send_some") for _ in range(4)]
    for process, _ in started:
        assert process.wait(30) == 0

    broker = connect(url)
    assert bodies(broker) == sorted(lines(*(said for _, said in started)))
    broker.close()


def test_a_wait_ends_when_another_process_sends(broker, start):
    waiting = in_thread(lambda: broker.receive([NAME], limit=1, lease=60, wait=2 * PATIENCE))

    start("send_one")

    assert [delivery.body for delivery in waiting.result(PATIENCE)] == [b"late"]


def test_a_broker_survives_forks_in_the_midst_of_its_use(broker, start):
    process, said = start("fork")

    assert process.wait(30) == 0
    sent = lines(said)
    assert len(sent) == 5 * 20
    assert bodies(broker) == sorted(sent)


def test_a_child_goes_on_when_its_parent_closes(url, start):
    process, _ = start("outlive")

    assert process.wait(30) == 0
    broker = connect(url)
    assert bodies(broker) == ["before", "closed", "open"]
    broker.close()
