"""What every test starts from: no settings from the shell, a clock that stands still, an app in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import cloudq
from cloudq.clock import FakeClock

# A machine that is busy with other tests is slow, not wrong.
settings.register_profile("cloudq", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cloudq")

KEPT = ("CLOUDQ_REQUIRE_SERVICES", "CLOUDQ_TEST_")


@pytest.fixture(autouse=True)
def no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("CLOUDQ_", "AWS_")) and not name.startswith(KEPT):
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def app(clock: FakeClock) -> Iterator[cloudq.App]:
    """Queues and results in memory, on the fake clock."""
    made = cloudq.App("test", broker="memory://", backend="memory://", environ={}, clock=clock)
    yield made
    made.close()
