"""Functions as processes: what starts, replies, fails, is stopped and ends."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import zipfile
from dataclasses import replace

import pytest

from cloudq.clock import SystemClock
from cloudq_emulator.faults import Faults
from cloudq_emulator.lambda_.configuration import Configuration
from cloudq_emulator.lambda_.environment import Surroundings
from cloudq_emulator.lambda_.functions import Functions
from cloudq_emulator.lambda_.killing import Killer
from tests.processes import is_alive
from tests.waiting import wait_until

SOURCE = """
import os, subprocess, sys, time

def echo(event, context):
    return {"event": event, "pid": os.getpid()}

def about(event, context):
    return {
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "memory": context.memory_limit_in_mb,
        "variables": dict(os.environ),
        "folder": os.getcwd(),
    }

def fail(event, context):
    print("about to fail")
    raise ValueError("no such order")

def hang(event, context):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print("child", child.pid)
    time.sleep(60)

def end(event, context):
    os._exit(event)

def leave(event, context):
    sys.exit()

def large(event, context):
    return "x" * event

def cloudq_is_there(event, context):
    import cloudq
    return cloudq.__version__
"""


class Lines:
    """A sink that keeps what it gets."""

    def __init__(self):
        self.written = []
        self._arrived = asyncio.Event()

    def write(self, configuration, stream, lines):
        self.written += [text for _, text in lines]
        self._arrived.set()

    async def until(self, start):
        """Wait for a line that begins so."""
        while not any(line.startswith(start) for line in self.written):
            self._arrived.clear()
            await asyncio.wait_for(self._arrived.wait(), 10)


def zipped(source: str = SOURCE) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), source)  # without the time: equal code, equal zip
    return buffer.getvalue()


def configured(handler: str, code: bytes, **changes) -> Configuration:
    configuration = Configuration(
        account="123456789012",
        region="eu-west-1",
        name="orders",
        version="$LATEST",
        handler=handler,
        timeout=5,
        memory_mb=256,
        runtime="python3.12",
        code_sha256=hashlib.sha256(code).hexdigest(),
    )
    return replace(configuration, **changes)


class Running:
    """Functions on a loop, with one call for what each test does."""

    def __init__(self):
        self.lines = Lines()
        clock = SystemClock()
        surroundings = Surroundings("http://localhost:4566", clock, clock, self.lines, Killer(Faults()))
        self.functions = Functions(surroundings)

    async def invoke(self, handler, event=None, *, code=None, **changes):
        code = code or zipped()
        payload = json.dumps(event).encode()
        return await self.functions.invoke(configured(handler, code, **changes), code, payload)


def run(scenario):
    async def main():
        running = Running()
        try:
            return await scenario(running)
        finally:
            await running.functions.stop()

    return asyncio.run(main())


def reply(result):
    return json.loads(result.reply.payload)


def test_function_runs_and_its_process_stays_warm():
    async def scenario(running):
        return [reply(await running.invoke("app.echo", {"n": n})) for n in range(3)]

    replies = run(scenario)

    assert [each["event"] for each in replies] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert len({each["pid"] for each in replies}) == 1
    assert replies[0]["pid"] != os.getpid()


def test_concurrent_invocations_get_processes_of_their_own():
    async def scenario(running):
        return await asyncio.gather(*(running.invoke("app.echo", n) for n in range(3)))

    replies = [reply(result) for result in run(scenario)]

    assert len({each["pid"] for each in replies}) == 3


def test_function_sees_what_lambda_tells_it():
    about = reply(
        run(
            lambda running: running.invoke(
                "app.about", timeout=7, variables=(("AWS_REGION", "nowhere"), ("STAGE", "test"))
            )
        )
    )

    variables = about["variables"]
    assert about["arn"] == "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    assert 5_000 < about["left"] <= 7_000
    assert about["memory"] == "256"
    assert variables["STAGE"] == "test"
    assert variables["AWS_REGION"] == variables["AWS_DEFAULT_REGION"] == "eu-west-1"
    assert variables["AWS_ENDPOINT_URL"] == "http://localhost:4566"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "orders"
    assert variables["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert variables["AWS_LAMBDA_LOG_GROUP_NAME"] == "/aws/lambda/orders"
    assert variables["LAMBDA_TASK_ROOT"] == about["folder"]
    assert variables["AWS_ACCESS_KEY_ID"] == "123456789012"


def test_nothing_of_the_emulators_environment_leaks_into_a_function(monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "1")

    about = reply(run(lambda running: running.invoke("app.about")))

    assert "SECRET_OF_THE_SHELL" not in about["variables"]


def test_function_may_import_what_is_installed_beside_the_emulator():
    result = run(lambda running: running.invoke("app.cloudq_is_there"))

    assert not result.reply.failed
    assert re.fullmatch(r"\d+\.\d+\.\d+", reply(result))


def test_handlers_error_is_the_reply_and_the_process_lives():
    async def scenario(running):
        return [await running.invoke("app.fail") for _ in range(2)]

    failed, again = run(scenario)

    assert failed.reply.failed
    assert reply(failed)["errorType"] == "ValueError"
    assert reply(failed)["errorMessage"] == "no such order"
    assert "Init Duration" in failed.log_tail.decode()
    assert "Init Duration" not in again.log_tail.decode()


def test_log_tail_tells_the_invocation_in_lambdas_lines():
    result = run(lambda running: running.invoke("app.fail"))

    lines = result.log_tail.decode().splitlines()
    assert lines[0] == f"START RequestId: {result.request_id} Version: $LATEST"
    assert lines[1] == "about to fail"
    assert "[ERROR] ValueError: no such order" in lines
    assert lines[-2] == f"END RequestId: {result.request_id}"
    assert re.search(r"Duration: .* ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\t", lines[-1])


def test_everything_printed_reaches_the_sink():
    async def scenario(running):
        await running.invoke("app.fail")
        await running.functions.stop()
        return running.lines.written

    written = run(scenario)

    assert "about to fail" in written
    assert not any("\r" in line or "\u00a0" in line for line in written)


def test_timeout_kills_the_process_and_what_it_started():
    result = run(lambda running: running.invoke("app.hang", timeout=1))

    assert reply(result) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {result.request_id} Error: Task timed out after 1.00 seconds",
    }
    child = int(re.search(r"child (\d+)", result.log_tail.decode())[1])
    wait_until(lambda: not is_alive(child))


def test_next_invocation_after_a_timeout_starts_anew():
    async def scenario(running):
        await running.invoke("app.hang", timeout=1)
        return await running.invoke("app.hang", timeout=1)

    assert "Init Duration" in run(scenario).log_tail.decode()


@pytest.mark.parametrize(
    ("handler", "event", "text"),
    [
        ("app.end", 3, "Runtime exited with error: exit status 3"),
        ("app.leave", None, "Runtime exited without providing a reason"),
    ],
)
def test_process_that_exits_is_an_error_at_once(handler, event, text):
    result = run(lambda running: running.invoke(handler, event, timeout=30))

    assert reply(result) == {"errorType": "Runtime.ExitError", "errorMessage": text}


@pytest.mark.parametrize(
    ("handler", "source", "error"),
    [
        ("app.missing", SOURCE, "Runtime.HandlerNotFound"),
        ("nowhere.echo", SOURCE, "Runtime.ImportModuleError"),
        ("app.echo", "def echo(:", "Runtime.UserCodeSyntaxError"),
        ("app.echo", "raise KeyError('setting')", "KeyError"),
        ("app.echo", "import os; os._exit(4)", "Runtime.ExitError"),
    ],
)
def test_code_that_cannot_be_loaded_fails_every_invocation(handler, source, error):
    async def scenario(running):
        code = zipped(source)
        return [await running.invoke(handler, code=code) for _ in range(2)]

    results = run(scenario)

    assert [reply(result)["errorType"] for result in results] == [error, error]
    assert all(result.reply.failed for result in results)


def test_response_up_to_six_megabytes_is_taken_and_more_is_an_error():
    async def scenario(running):
        code = zipped()
        return [await running.invoke("app.large", size, code=code) for size in (6_000_000, 7_000_000)]

    fits, too_large = run(scenario)

    assert len(fits.reply.payload) == 6_000_002
    assert reply(too_large)["errorType"] == "Function.ResponseSizeTooLarge"


def test_new_code_runs_from_the_next_invocation_on():
    async def scenario(running):
        versions = [zipped(f"def handler(event, context): return {n}") for n in (1, 2)]
        return [reply(await running.invoke("app.handler", code=code)) for code in versions]

    assert run(scenario) == [1, 2]


def test_deleted_function_leaves_no_process():
    async def scenario(running):
        pid = reply(await running.invoke("app.echo"))["pid"]
        running.functions.retain(lambda configuration: False)
        await running.functions.stop()
        return pid

    pid = run(scenario)

    wait_until(lambda: not is_alive(pid))


def test_stopping_ends_what_is_running():
    async def scenario(running):
        invocation = asyncio.create_task(running.invoke("app.hang", timeout=60))
        await running.lines.until("child")
        await running.functions.stop()
        return await invocation

    assert reply(run(scenario))["errorType"] == "Runtime.ExitError"


def test_other_runtimes_are_refused_by_name():
    result = run(lambda running: running.invoke("index.handler", runtime="nodejs22.x"))

    assert result.reply.failed
    assert "nodejs22.x" in reply(result)["errorMessage"]
