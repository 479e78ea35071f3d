"""What tests start from: no settings from the shell, a clock that stands still, an app in memory, a shell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import cloudq
from cloudq.clock import FakeClock
from tests.cli_runner import Shell

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


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs `cloudq` in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return Shell(tmp_path)
