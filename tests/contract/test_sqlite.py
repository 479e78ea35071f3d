from __future__ import annotations

import pytest

from cloudq.backends import sqlite as backends
from cloudq.brokers import sqlite as brokers
from cloudq.testing import BackendContract, BrokerContract


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/state.db"


class TestSqliteBroker(BrokerContract):
    @pytest.fixture
    def broker(self, url, clock):
        broker = brokers.connect(url, clock=clock)
        yield broker
        broker.close()


class TestSqliteBackend(BackendContract):
    @pytest.fixture
    def backend(self, url, clock):
        backend = backends.connect(url, clock=clock)
        yield backend
        backend.close()
