"""The command line against SQS, as the emulator has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

APP = """
import cloudq

app = cloudq.App("shop", broker="sqs://?prefix=shop-")

@app.task(queue="sums")
def add(x: int, y: int) -> int:
    return x + y
"""


@pytest.fixture
def cloudq(emulator, tmp_path):
    (tmp_path / "cli_sqs_app.py").write_text(APP)

    def run(*words, **variables):
        return subprocess.run(
            [sys.executable, "-m", "cloudq", *words, "-A", "cli_sqs_app"],
            cwd=tmp_path,
            env={**os.environ, **emulator.environment, **variables},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )

    return run


def test_call_is_counted_and_purged(cloudq):
    assert cloudq("task", "call", "cli_sqs_app.add", "1", "2").returncode == 0

    before = json.loads(cloudq("queue", "stats", "--json").stdout)["queues"]
    purged = cloudq("queue", "purge", "sums", "--yes")
    after = json.loads(cloudq("queue", "stats", "--json").stdout)["queues"]

    assert (before[0]["ready"], purged.returncode, after[0]["ready"]) == (1, 0, 0)


def test_queue_that_is_not_deployed_says_what_to_do(cloudq):
    ended = cloudq("queue", "stats", "sums")

    assert ended.returncode == 1
    assert "shop-sums" in ended.stderr
    assert "CLOUDQ_CREATE_QUEUES" in ended.stderr


def test_unknown_queue_names_the_nearest(cloudq):
    ended = cloudq("queue", "stats", "sum")

    assert (ended.returncode, "Did you mean sums?" in ended.stderr) == (2, True)
