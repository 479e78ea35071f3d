from __future__ import annotations

import pytest

from cloudq.backends import redis as backends
from cloudq.brokers.redis import RedisBroker
from cloudq.errors import BrokerError, BrokerUnavailableError
from cloudq.redis import Failures, Server, locate
from cloudq.testing import BackendContract, BrokerContract
from tests.redis_server import QuickClock, redis_url, shorten_lives


@pytest.fixture
def clock():
    return QuickClock()


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


class TestRedisBackend(BackendContract):
    @pytest.fixture
    def backend(self, url, clock):
        backend = backends.connect(url, clock=clock)
        yield backend
        backend.close()

    @pytest.fixture
    def pass_time(self, url, clock):
        def pass_time(seconds):
            shorten_lives(url, seconds)
            clock.advance(seconds)

        return pass_time
