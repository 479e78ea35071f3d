from __future__ import annotations

import pytest

from cloudq.testing import UnorderedBrokerContract
from tests.rabbitmq_server import AheadClock, broker_on_server


@pytest.fixture
def clock():
    return AheadClock()


class TestQuorumQueues(UnorderedBrokerContract):
    lease = 1.5
    crowd = 3_000

    @pytest.fixture
    def broker(self, clock):
        with broker_on_server(clock=clock) as broker:
            yield broker


class TestClassicQueues(UnorderedBrokerContract):
    lease = 1.5
    crowd = 3_000

    @pytest.fixture
    def broker(self, clock):
        with broker_on_server("?queue_type=classic", clock) as broker:
            yield broker
