from __future__ import annotations

import pytest

from cloudq.brokers import sqs
from cloudq.clock import SystemClock
from cloudq.testing import BrokerContract
from tests.emulator_process import emulator_process


@pytest.fixture(scope="module")
def emulator():
    with emulator_process() as emulator:
        yield emulator


class TestSqsBroker(BrokerContract):
    url = "sqs://?prefix=shop-"

    @pytest.fixture
    def broker(self, emulator, monkeypatch):
        for name, value in emulator.environment.items():
            monkeypatch.setenv(name, value)
        emulator.control("POST", "/_cloudq/reset")
        broker = sqs.connect(self.url, clock=SystemClock())
        yield broker
        broker.close()

    @pytest.fixture
    def pass_time(self, emulator):
        return emulator.pass_time


class TestSqsBrokerThroughBoto3(TestSqsBroker):
    url = "sqs://?prefix=shop-&transport=boto3"
    crowd = 1000
