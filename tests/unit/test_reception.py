"""Which queues a worker goes on with when some can't be received from."""

from __future__ import annotations

import pytest

import cloudq
from cloudq.clock import FakeClock
from cloudq.delivery import Outgoing
from cloudq.errors import BrokerError, BrokerUnavailableError, QueueNotFoundError
from cloudq.worker.preference import Preference
from cloudq.worker.reception import Reception


class Breaking:
    """The memory broker, of which some queues are broken."""

    def __init__(self, broker) -> None:
        self._broker = broker
        self.broken: dict[str, Exception] = {}
        self.asked: list[list[str]] = []

    def __getattr__(self, name):
        return getattr(self._broker, name)

    def receive(self, queues, **options):
        self.asked.append(list(queues))
        for queue in queues:
            if queue in self.broken:
                raise self.broken[queue]
        return self._broker.receive(queues, **options)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def app(clock):
    app = cloudq.App("trial", broker="memory://", clock=clock, environ={})
    yield app
    app.close()


@pytest.fixture
def broker(app, monkeypatch):
    breaking = Breaking(app.broker)
    monkeypatch.setattr(app, "_broker", breaking)
    assert app.broker is breaking
    return breaking


def reception_of(app, clock, *names: str) -> Reception:
    preference = Preference({name: [name] for name in names}, is_strict=True)
    return Reception(app, preference, lease=60.0, wait=0.0, clock=clock)


def send(app, queue: str, id: str) -> None:
    app.declare(queue)
    app.broker.send(queue, [Outgoing(id, b"{}")])


def ids(deliveries) -> list[str]:
    return [one.id for one in deliveries]


def refused(queue: str) -> BrokerError:
    return BrokerError("permission denied", queue=queue)


def test_others_are_received_from_while_one_is_broken(app, broker, clock, caplog):
    reception = reception_of(app, clock, "bad", "good")
    broker.broken["bad"] = refused("bad")
    send(app, "good", "1")

    assert ids(reception.receive(10)) == ["1"]

    assert [record.action for record in caplog.records] == ["queue_failed"]
    assert "permission denied" in caplog.text


def test_a_broken_queue_rests_and_is_asked_again_later(app, broker, clock):
    reception = reception_of(app, clock, "bad", "good")
    broker.broken["bad"] = refused("bad")
    reception.receive(10)

    broker.asked.clear()
    reception.receive(10)
    clock.advance(1.0)
    broker.broken.clear()
    reception.receive(10)

    assert broker.asked == [["good"], ["bad", "good"]]


def test_a_queue_that_is_mended_is_told_of_once(app, broker, clock, caplog):
    caplog.set_level("INFO")
    reception = reception_of(app, clock, "bad", "good")
    broker.broken["bad"] = refused("bad")
    reception.receive(10)
    broker.broken.clear()
    clock.advance(1.0)
    for number in range(2):
        send(app, "bad", str(number))

        assert ids(reception.receive(10)) == [str(number)]

    assert [record.action for record in caplog.records] == ["queue_failed", "queue_back"]


def test_failures_of_all_are_raised(app, broker, clock):
    reception = reception_of(app, clock, "bad", "worse")
    broker.broken = {"bad": refused("bad"), "worse": refused("worse")}

    with pytest.raises(BrokerError, match="permission denied"):
        reception.receive(10)


def test_a_broker_that_is_not_there_is_not_searched_for_a_queue_that_is(app, broker, clock):
    reception = reception_of(app, clock, "bad", "good")
    broker.broken["bad"] = BrokerUnavailableError("nobody answers")

    with pytest.raises(BrokerUnavailableError):
        reception.receive(10)

    assert len(broker.asked) == 1


def test_a_queue_that_was_never_there_ends_a_worker_that_starts(app, broker, clock):
    reception = reception_of(app, clock, "misspelt", "good")
    broker.broken["misspelt"] = QueueNotFoundError("no queue 'misspelt'", queue="misspelt")

    with pytest.raises(QueueNotFoundError):
        reception.receive(10)

    assert not reception.has_received


def test_a_queue_that_vanishes_later_does_not(app, broker, clock):
    reception = reception_of(app, clock, "vanishing", "good")
    reception.receive(10)
    broker.broken["vanishing"] = QueueNotFoundError("no queue 'vanishing'", queue="vanishing")
    send(app, "good", "1")

    assert ids(reception.receive(10)) == ["1"]


@pytest.mark.parametrize(
    "error", [refused("bad"), BrokerUnavailableError("again after a minute", queue="bad")]
)
def test_a_queue_that_cannot_be_declared_rests_too(app, broker, clock, monkeypatch, error):
    reception = reception_of(app, clock, "bad", "good")
    send(app, "good", "1")
    declare = app.declare

    def refuse(name: str) -> None:
        if name == "bad":
            raise error
        declare(name)

    monkeypatch.setattr(app, "declare", refuse)

    assert ids(reception.receive(10)) == ["1"]
    assert broker.asked == [["good"]]


def test_paused_queues_are_not_asked(app, broker, clock):
    reception = reception_of(app, clock, "paused", "good")

    reception.receive(10, {"paused"})

    assert broker.asked == [["good"]]
