"""Runners of single messages."""

from __future__ import annotations

import pytest

import cloudq
from cloudq.clock import FakeClock
from tests.runner import Runner


@pytest.fixture
def runner(app: cloudq.App) -> Runner:
    return Runner(app)


@pytest.fixture
def plain(clock: FakeClock) -> Runner:
    """One whose app keeps no results."""
    return Runner(cloudq.App("plain", broker="memory://", environ={}, clock=clock))
