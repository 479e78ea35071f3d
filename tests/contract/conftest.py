"""How a broker's time passes, where a clock of the test's own is what it reads."""

from __future__ import annotations

import pytest


@pytest.fixture
def pass_time(clock):
    return clock.advance
