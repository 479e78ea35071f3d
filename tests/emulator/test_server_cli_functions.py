"""What ``cloudq emulate --template`` tells at the terminal: what it deployed, and how functions do."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
  Good:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: good, Handler: good.run, Runtime: python3.12, CodeUri: code}
  Broken:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: broken, Handler: broken.run, Runtime: python3.12, CodeUri: code}
"""

INVOKE = """
import boto3, sys
client = boto3.client("lambda")
for name in sys.argv[1:]:
    client.invoke(FunctionName=name)["Payload"].read()
"""


@pytest.fixture
def invoke(tmp_path):
    """Run an emulator of the template around invocations; returns what it printed to stderr."""
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "good.py").write_text("def run(event, context): return 1\n")
    (tmp_path / "code" / "broken.py").write_text("import nosuchlib\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDQ_"))}

    def invoke(names, *options):
        template = ["--template", str(tmp_path / "template.yaml")]
        emulate = [sys.executable, "-m", "cloudq_emulator.cli", "--port", "0", *template, *options]
        done = subprocess.run(
            [*emulate, "--", sys.executable, "-c", INVOKE, *names],
            env={**kept, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    return invoke


def test_the_start_lines_name_queues_and_functions(invoke):
    lines = invoke([]).splitlines()

    assert lines[1:] == ["  queues: orders", "  functions: broken, good"]


def test_a_function_that_fails_is_told_of_once_in_a_while(invoke):
    printed = invoke(["broken", "broken", "good"])

    warnings = [line for line in printed.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert (
        "Function broken failed: Runtime.ImportModuleError: Unable to import module 'broken'" in warnings[0]
    )
    assert "/_cloudq/ or aws --endpoint-url http://localhost:" in warnings[0]
    assert warnings[0].endswith("logs filter-log-events --log-group-name /aws/lambda/broken")
    assert "good" not in "".join(warnings)


def test_verbose_prints_one_line_an_invocation(invoke):
    printed = invoke(["broken", "good", "good"], "-v")

    told = re.findall(r"^[\d:.]+ lambda (\S+) (.*) \d+ ms$", printed, re.MULTILINE)
    assert told == [("broken", "failed (Runtime.ImportModuleError)"), ("good", "ok"), ("good", "ok")]
