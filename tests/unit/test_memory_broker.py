from __future__ import annotations

import pytest

from cloudq.backends import memory as backends
from cloudq.brokers import memory as brokers
from cloudq.clock import FakeClock
from cloudq.delivery import Outgoing
from cloudq.errors import ConfigurationError
from cloudq.queues import Queue


@pytest.mark.parametrize("module", [brokers, backends])
@pytest.mark.parametrize("url", ["memory://name", "memory:///", "memory://?x=1", "memory:"])
def test_what_is_in_memory_has_no_name(module, url):
    with pytest.raises(ConfigurationError, match="write memory:// and nothing behind it"):
        module.connect(url, clock=FakeClock())


def test_each_connection_is_another_broker():
    clock = FakeClock()
    one, other = (brokers.connect("memory://", clock=clock) for _ in range(2))
    for broker in (one, other):
        broker.declare(Queue("q"))

    one.send("q", [Outgoing("1", b"1")])

    assert not one.limits.is_shared
    assert other.receive(["q"], limit=1, lease=1, wait=0) == []


def test_each_connection_is_another_backend():
    one, other = (backends.connect("memory://", clock=FakeClock()) for _ in range(2))

    one.put("key", b"1")

    assert other.get("key") is None
