"""A short chaos run on every broker; `make chaos` has the long ones."""

import os
from pathlib import Path

import pytest

from tests.chaos.run import Plan, Run
from tests.chaos.stages import missing_program


@pytest.mark.timeout(180)
@pytest.mark.parametrize("broker", ["sqlite", "sqs", "sqs with faults", "redis", "rabbitmq"])
def test_nothing_is_lost_and_repeats_are_bounded_whatever_is_killed(broker: str, tmp_path: Path):
    name, _, faults = broker.partition(" with ")
    program = missing_program(name)
    if program is not None:
        assert "CLOUDQ_REQUIRE_SERVICES" not in os.environ, f"{program} is missing"
        pytest.skip(f"{program} isn't installed")
    plan = Plan(
        broker=name, tasks=400, groups=3, kills=6, pause=0.6, seed=5, faults=bool(faults), patience=90
    )
    verdict = Run(plan, tmp_path).play()
    assert verdict.lost == []
    assert verdict.unordered == []
    assert verdict.repeats <= verdict.allowed
    assert sum(verdict.kills.values()) == plan.kills
