from __future__ import annotations

import pytest

from cloudq.brokers.redis import RedisBroker
from cloudq.errors import BrokerError, BrokerUnavailableError
from cloudq.redis import Failures, Server, locate
from cloudq.testing import BrokerContract
from tests.redis_server import QuickClock, redis_url


@pytest.fixture
def clock():
    return QuickClock()


@pytest.fixture
def pass_time(clock):
    return clock.advance


@pytest.fixture
def url():
    with redis_url() as url:
        yield url


class TestRedisBroker(BrokerContract):
    @pytest.fixture
    def broker(self, url, clock):
        failures = Failures(unavailable=BrokerUnavailableError, broken=BrokerError)
        broker = RedisBroker(Server(locate(url), failures), clock, ahead=clock.monotonic)
        yield broker
        broker.close()
