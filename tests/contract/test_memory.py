from __future__ import annotations

import pytest

from cloudq.backends import memory as backends
from cloudq.brokers import memory as brokers
from cloudq.testing import BackendContract, BrokerContract


class TestMemoryBroker(BrokerContract):
    @pytest.fixture
    def broker(self, clock):
        broker = brokers.connect("memory://", clock=clock)
        yield broker
        broker.close()


class TestMemoryBackend(BackendContract):
    @pytest.fixture
    def backend(self, clock):
        backend = backends.connect("memory://", clock=clock)
        yield backend
        backend.close()
