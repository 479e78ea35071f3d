"""What ``cloudq emulate`` says when it is told nonsense: one line, no traceback, nothing left running."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture
def emulate():
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDQ_"))}
    environ = {**kept, "PYTHONPATH": os.pathsep.join(sys.path)}

    def emulate(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "cloudq_emulator.cli", *arguments],
            env=environ,
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    return emulate


@pytest.mark.parametrize("port", ["99999", "65536", "-1"])
def test_a_port_that_cannot_be_is_misuse(emulate, port):
    done = emulate("--port", port)

    assert done.returncode == 2
    assert f"{port} is not in the range" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_queue_that_sqs_refuses_is_one_line(emulate):
    done = emulate("--port", "0", "--queue", "bad!name")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: --queue bad!name: SQS refuses it: Can only include alphanumeric")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: 'x!'}}}", "Can only include"),
        ("Resources: {A: {Type: AWS::No::Such}}", "Unrecognized resource types: [AWS::No::Such (A)]"),
        ("Resources: {A: {Type: AWS::Serverless::Function, Properties: {CodeUri: none}}}", "is no folder"),
        ("Resources: {A: 3}", "a resource without a Type: A"),
        ("Resources: [", "neither YAML nor JSON"),
        ("Description: nothing", "has no Resources"),
    ],
)
def test_a_template_that_fails_is_one_line_with_the_reason(emulate, tmp_path, template, reason):
    path = tmp_path / "template.yaml"
    path.write_text(template)

    done = emulate("--port", "0", "--template", str(path))

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: --template {path}: ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
