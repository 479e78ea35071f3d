"""What ``cloudq emulate --template`` tells at the terminal: what it deployed, and how functions do."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.12, CodeUri: code, Timeout: 1}}
Resources:
  Orders: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
  Good: {Type: AWS::Serverless::Function, Properties: {FunctionName: good, Handler: good.run}}
  Broken: {Type: AWS::Serverless::Function, Properties: {FunctionName: broken, Handler: broken.run}}
  Raising: {Type: AWS::Serverless::Function, Properties: {FunctionName: raising, Handler: good.fail}}
  Slow: {Type: AWS::Serverless::Function, Properties: {FunctionName: slow, Handler: good.hang}}
  Leaving: {Type: AWS::Serverless::Function, Properties: {FunctionName: leaving, Handler: good.leave}}
"""

GOOD = """
import os, signal

def run(event, context): return 1
def fail(event, context): raise ValueError("no such order")
def hang(event, context): signal.pause()
def leave(event, context): os._exit(3)
"""

INVOKE = """
import boto3, sys
client = boto3.client("lambda")
for name in sys.argv[1:]:
    client.invoke(FunctionName=name)["Payload"].read()
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What an emulator of the template printed to stderr around some invocations."""
    folder = tmp_path_factory.mktemp("functions")
    (folder / "template.yaml").write_text(TEMPLATE)
    (folder / "code").mkdir()
    (folder / "code" / "good.py").write_text(GOOD)
    (folder / "code" / "broken.py").write_text("import nosuchlib\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDQ_"))}
    template = str(folder / "template.yaml")
    emulate = [sys.executable, "-m", "cloudq_emulator.cli", "--port", "0", "--template", template, "-v"]
    invoked = ["broken", "broken", "good", "good", "raising", "slow", "leaving"]
    done = subprocess.run(
        [*emulate, "--", sys.executable, "-c", INVOKE, *invoked],
        env={**kept, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_start_lines_name_queues_and_functions(printed):
    assert "\n  queues: orders\n  functions: broken, good, leaving, raising, slow\n" in printed


def test_a_function_that_fails_is_told_of_once_in_a_while(printed):
    warnings = [line for line in printed.splitlines() if "WARNING" in line and "broken" in line]
    assert len(warnings) == 1
    assert (
        "Function broken failed: Runtime.ImportModuleError: Unable to import module 'broken'" in warnings[0]
    )
    assert "/_cloudq/ or aws --endpoint-url http://localhost:" in warnings[0]
    assert warnings[0].endswith("logs filter-log-events --log-group-name /aws/lambda/broken")


def test_a_function_that_ends_well_is_not_warned_of(printed):
    assert "WARNING Function good" not in printed


def test_raising_timing_out_and_exiting_are_told_with_type_and_text(printed):
    _, *told = re.findall(r"WARNING Function (.*)\. Its log: ", printed)
    raised, timed_out, exited = told
    assert raised == "raising failed: ValueError: no such order"
    assert re.fullmatch(r"slow failed: Sandbox.Timedout: .* Task timed out after 1.00 seconds", timed_out)
    assert exited == "leaving failed: Runtime.ExitError: Runtime exited with error: exit status 3"


def test_verbose_prints_one_line_an_invocation(printed):
    told = re.findall(r"^[\d:.]+ lambda (\S+) (.*) \d+ ms$", printed, re.MULTILINE)
    assert told == [
        ("broken", "failed (Runtime.ImportModuleError)"),
        ("broken", "failed (Runtime.ImportModuleError)"),
        ("good", "ok"),
        ("good", "ok"),
        ("raising", "failed (ValueError)"),
        ("slow", "failed (Sandbox.Timedout)"),
        ("leaving", "failed (Runtime.ExitError)"),
    ]
