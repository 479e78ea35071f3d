"""What a forked child gets of what its parent's threads were about."""

from __future__ import annotations

import os
import signal
from threading import Event, Thread, Timer

import pytest

import cloudq
from cloudq.brokers import memory
from cloudq.brokers.memory import MemoryBroker
from cloudq.clock import Clock

PATIENCE = 20


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_forked_while_another_thread_makes_the_broker_can_use_it(monkeypatch: pytest.MonkeyPatch):
    app = cloudq.App("shop", broker="memory://", environ={})
    is_making, may_go_on = Event(), Event()
    connect = memory.connect

    def connect_slowly(url: str, *, clock: Clock) -> MemoryBroker:
        is_making.set()
        may_go_on.wait(PATIENCE)
        return connect(url, clock=clock)

    monkeypatch.setattr(memory, "connect", connect_slowly)
    first = Thread(target=lambda: app.broker)
    first.start()
    is_making.wait(PATIENCE)
    Timer(0.2, may_go_on.set).start()  # by then the fork is under way, which without it would never end
    child = os.fork()
    if not child:
        signal.alarm(PATIENCE)
        may_go_on.set()
        os._exit(0 if app.broker else 1)
    first.join()

    assert os.waitpid(child, 0)[1] == 0
