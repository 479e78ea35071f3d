"""``cloudq emulate`` as a process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import dataclass

import pytest

from tests.needs import need_ipv6

EMULATE = [sys.executable, "-m", "cloudq_emulator.cli"]


@pytest.fixture(scope="module")
def environ():
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLOUDQ_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def emulate(environ):
    def emulate(*arguments, **changes):
        return subprocess.run(
            [*EMULATE, *arguments],
            env={**environ, **changes},
            capture_output=True,
            text=True,
            timeout=40,
            check=False,
        )

    return emulate


@dataclass(frozen=True)
class Seen:
    """What a command under an emulator saw.

    Args:
        environment: What concerns AWS and cloudq in it.
        said: What the emulator wrote to stderr.
    """

    environment: dict[str, str]
    said: str


@pytest.fixture(scope="module")
def seen(emulate):
    script = (
        "import json, os, urllib.request;"
        "urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL'] + '/?Action=ListQueues');"
        "print(json.dumps({k: v for k, v in os.environ.items() if k.startswith(('AWS_', 'CLOUDQ_'))}))"
    )
    options = ["--port", "0", "--host", "0.0.0.0", "-v"]
    done = emulate(*options, "--", sys.executable, "-c", script, AWS_PROFILE="prod", AWS_REGION="eu-north-1")
    assert done.returncode == 0, done.stderr
    return Seen(json.loads(done.stdout), done.stderr)


def test_a_command_runs_with_the_emulator_in_its_environment(seen):
    got = dict(seen.environment)
    assert got.pop("AWS_ENDPOINT_URL").startswith("http://localhost:")
    assert got.pop("CLOUDQ_CLOCK")
    assert got == {
        "AWS_ACCESS_KEY_ID": "cloudq",
        "AWS_SECRET_ACCESS_KEY": "cloudq",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_REGION": "eu-north-1",
        "CLOUDQ_CREATE_QUEUES": "true",
    }


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["sh", "-c", "exit 7"], 7),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["no-such-command"], 127),
        (["/"], 126),
    ],
)
def test_the_commands_exit_code_is_the_emulators(emulate, command, code):
    assert emulate("--port", "0", "--", *command).returncode == code


def test_a_command_that_the_system_cannot_run_is_told_in_one_line(emulate, tmp_path):
    command = tmp_path / "command"
    command.write_text("no first line that names a shell")
    command.chmod(0o755)

    done = emulate("--port", "0", "--", str(command))

    assert done.returncode == 126
    assert done.stderr.endswith(f"Error: {command}: Exec format error\n")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("host", ["localhost", "::1", "::"])
def test_the_endpoint_leads_to_whatever_host_it_listens_on(emulate, host):
    if ":" in host:
        need_ipv6()
    script = (
        "import os, urllib.request as u; end = os.environ['AWS_ENDPOINT_URL'];"
        "print(end, u.urlopen(end + '/_cloudq/health').status)"
    )

    done = emulate("--port", "0", "--host", host, "--", sys.executable, "-c", script)

    assert done.stdout.endswith(" 200\n"), done.stderr


def test_queues_are_made_at_the_start(emulate):
    script = (
        "import os, urllib.request;"
        "url = os.environ['AWS_ENDPOINT_URL'] + '/?Action=ListQueues';"
        "print(urllib.request.urlopen(url).read().decode())"
    )

    done = emulate("--port", "0", "--queue", "a", "--queue", "b.fifo", "--", sys.executable, "-c", script)

    assert "/000000000000/a<" in done.stdout
    assert "/000000000000/b.fifo<" in done.stdout


def test_a_taken_port_is_told_with_a_way_out(emulate):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        done = emulate("--port", str(holder.getsockname()[1]))

    assert done.returncode == 1
    assert "is taken" in done.stderr
    assert "--port 0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--account", "12"], ["--port", "x"], ["--template", "none.yaml"], ["--nonsense"]]
)
def test_misuse_exits_with_2(emulate, arguments):
    assert emulate(*arguments).returncode == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(environ, number):
    process = subprocess.Popen(
        [*EMULATE, "--port", "0", "--json"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        started = json.loads(process.stdout.readline())
        with urllib.request.urlopen(started["endpoint"] + "/_cloudq/health", timeout=10) as response:
            assert json.load(response)["status"] == "up"
        process.send_signal(number)

        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGINT, signal.SIGTERM]])
def test_a_signal_ends_the_command_but_one_interrupt_leaves_it_its_last_words(environ, numbers):
    command = ["sh", "-c", "trap '' INT; echo up; exec sleep 30"]
    process = subprocess.Popen(
        [*EMULATE, "--port", "0", "--", *command],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "up\n"
        for number in numbers:
            assert process.poll() is None
            process.send_signal(number)

        assert process.wait(timeout=20) == 143


def test_another_host_than_loopback_is_warned_of(seen):
    assert "no loopback address" in seen.said


def test_verbose_prints_one_line_a_request(seen):
    assert seen.said.strip().endswith("200 sqs ListQueues")


def test_importing_the_command_loads_none_of_what_it_needs(environ):
    script = (
        "import sys, cloudq_emulator.cli;"
        "print([name for name in ('moto', 'boto3', 'botocore', 'httptools', 'flask') if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=20, check=True
    )

    assert done.stdout.strip() == "[]"


def test_without_its_extra_it_says_which_to_install(environ):
    script = (
        "import sys, importlib.util as u; real = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'moto' else real(name, *a);"
        "import cloudq_emulator.cli; sys.argv = ['emulate']; cloudq_emulator.cli.emulate()"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 1
    assert (
        done.stderr.strip()
        == "Error: the emulator needs moto, not installed here: pip install 'cloudq[emulator]'"
    )
