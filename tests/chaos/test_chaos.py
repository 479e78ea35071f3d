"""A short chaos run on every broker; `make chaos` has the long ones."""

from pathlib import Path

import pytest

from tests.chaos.run import Plan, Run
from tests.chaos.stages import PROGRAMS
from tests.needs import need_program


@pytest.mark.timeout(180)
@pytest.mark.parametrize("broker", ["sqlite", "sqs", "sqs with faults", "redis", "rabbitmq"])
def test_nothing_is_lost_and_repeats_are_bounded_whatever_is_killed(broker: str, tmp_path: Path):
    name, _, faults = broker.partition(" with ")
    if program := PROGRAMS.get(name):
        need_program(program)
    # A node of RabbitMQ takes a dozen seconds to come up, and half as many after a kill: one has to do.
    kills = 4 if name == "rabbitmq" else 6
    plan = Plan(
        broker=name,
        tasks=400,
        groups=3,
        kills=kills,
        pause=0.5,
        seed=5,
        faults=bool(faults),
        patience=90,
        environment={"CLOUDQ_TASK_LEASE": "5"},
    )
    verdict = Run(plan, tmp_path).play()
    assert verdict.lost == []
    assert verdict.unordered == []
    assert verdict.repeats <= verdict.allowed
    assert sum(verdict.kills.values()) == kills
    assert set(verdict.kills) == {"worker", "child", "forkserver"} | (
        {"broker"} if name != "sqlite" else set()
    )
