"""What a person sees of a real worker on a real terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cloudq
from tests.integration.worker_process import HERE
from tests.screen import Screen
from tests.waiting import wait_until

sys.path.insert(0, str(HERE))
import worker_app

STATUS = re.compile(r"\d+/\d+ running")
STAMP = re.compile(r"^\d\d:\d\d:\d\d (INFO|WARNING|ERROR|DEBUG) ")


class Terminal:
    """A worker on a pseudo-terminal that it is the foreground of."""

    def __init__(self, environment: dict[str, str], *options: str, columns: int) -> None:
        self.screen = Screen(columns)
        self._ours, theirs = pty.openpty()
        self.resize(columns)
        self._theirs = theirs
        self.settings = termios.tcgetattr(theirs)
        command = [sys.executable, "-m", "cloudq", "worker", "-A", "worker_app", *options]
        # A shell: it makes the terminal its own, as only the leader of a session can.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *command],
            cwd=HERE,
            env={**os.environ, "TERM": "xterm", **environment},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def resize(self, columns: int) -> None:
        self.screen.columns = columns
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, when all that it wrote is on the screen."""
        code = self._process.wait(30)
        self.after = termios.tcgetattr(self._theirs)
        os.write(self._theirs, b"$ \n")
        wait_until(lambda: "$ " in self.screen.lines, "the prompt")
        return code

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._theirs)
        self._reader.join()
        os.close(self._ours)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._ours, 65536):
                self.screen.write(data)


_ON_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'queue.db'}?synchronous=normal"


@pytest.fixture
def app(url: str) -> Iterator[cloudq.App]:
    app = worker_app.app
    app.close()
    with app.conf.overridden({"broker_url": url, "result_backend": url}):
        yield app
        app.close()


Start = Callable[..., Terminal]


@pytest.fixture
def start(app: cloudq.App, url: str) -> Iterator[Start]:
    started: list[Terminal] = []

    def start_worker(*options: str, columns: int = 120, **environment: str) -> Terminal:
        settings = {"CLOUDQ_BROKER_URL": url, "CLOUDQ_RESULT_BACKEND": url, "CI": ""}
        started.append(Terminal({**settings, **environment}, *options, columns=columns))
        return started[-1]

    yield start_worker
    for terminal in started:
        terminal.close()


def has_status(terminal: Terminal) -> bool:
    return bool(STATUS.search(terminal.screen.last))


def statuses(terminal: Terminal) -> list[str]:
    return [line for line in terminal.screen.lines if STATUS.search(line)]


def test_the_lowest_line_follows_the_worker_and_is_gone_at_its_end(start: Start):
    terminal = start("-c", "2")
    wait_until(lambda: has_status(terminal), "the status")

    worker_app.say.delay_many([(f"said {number}",) for number in range(200)])
    wait_until(lambda: "200 done" in terminal.screen.last, "the count")

    assert len(statuses(terminal)) == 1
    terminal.signal(signal.SIGTERM)
    assert terminal.wait() == 0
    assert statuses(terminal) == []
    assert terminal.screen.lines[-2:] == ["$ ", ""]
    assert terminal.screen.is_wrapping


def test_logs_and_what_tasks_print_stand_above_it_in_whole_lines(start: Start):
    terminal = start("-c", "2", columns=400)  # the folder's name may be long
    wait_until(lambda: has_status(terminal), "the status")

    worker_app.say.delay_many([(f"said {number}",) for number in range(200)])
    wait_until(lambda: "200 done" in terminal.screen.last, "the count")
    terminal.signal(signal.SIGTERM)
    terminal.wait()

    seen = terminal.screen.lines
    assert sum(line in {f"said {number}" for number in range(200)} for line in seen) == 400
    told = [line for line in seen if STAMP.match(line)]
    assert sum(line.endswith(" done") for line in told) == 200
    known = ("said ", "trial: ", "  broker ", "  results ", "  queues ", "$ ")
    assert [line for line in seen if line and line not in told and not line.startswith(known)] == []


def test_a_line_that_a_task_prints_in_parts_is_not_torn_by_it(start: Start):
    terminal = start("-c", "1", "-l", "ERROR")
    wait_until(lambda: has_status(terminal), "the status")

    worker_app.print_in_parts.delay(1.5)
    wait_until(lambda: "1 done" in terminal.screen.last, "the count")

    assert "first half, second half" in terminal.screen.lines


def test_ctrl_c_leaves_the_terminal_as_it_was(start: Start):
    terminal = start("-c", "1")
    wait_until(lambda: has_status(terminal), "the status")

    terminal.type(b"\x03")

    assert terminal.wait() == 0
    assert terminal.after == terminal.settings
    assert statuses(terminal) == []


def test_a_second_ctrl_c_that_cuts_a_task_off_leaves_it_so_too(start: Start, tmp_path: Path):
    path = tmp_path / "lines"
    worker_app.start_then_mark.delay(str(path), 1, 60.0)
    terminal = start("-c", "1")
    wait_until(lambda: "1/1 running" in terminal.screen.last, "the run")

    terminal.type(b"\x03")
    wait_until(lambda: "stopping, " in terminal.screen.last, "the stop")
    terminal.type(b"\x03")

    assert terminal.wait() == 0
    assert terminal.after == terminal.settings
    assert statuses(terminal) == []


def test_a_line_fits_a_terminal_that_is_made_narrow(start: Start):
    terminal = start("-c", "1")
    wait_until(lambda: "up " in terminal.screen.last, "the whole status")

    terminal.resize(30)

    wait_until(lambda: has_status(terminal) and "up " not in terminal.screen.last, "the narrow one")
    assert len(terminal.screen.last) < 30


def test_tasks_see_the_terminal_that_there_is(start: Start):
    start("-c", "1", columns=77)

    assert worker_app.columns.delay().get(timeout=20) == (True, 77)


def test_colours_are_left_out_where_nobody_wants_them(start: Start, app: cloudq.App):
    app.pauses.pause("default")
    colored, plain = start("-c", "1"), start("-c", "1", NO_COLOR="1")

    wait_until(lambda: "paused" in colored.screen.last and "paused" in plain.screen.last, "both")

    assert b"\x1b[33m" in colored.screen.written
    assert not re.search(rb"\x1b\[[0-9;]*m", plain.screen.written)


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        (["--no-status"], {}),
        (["--json"], {}),
        (["--pool", "solo"], {}),
        ([], {"TERM": "dumb"}),
        ([], {"CI": "true"}),
    ],
    ids=["unwanted", "JSON", "solo", "a dumb terminal", "CI"],
)
def test_there_is_none_where_it_would_be_in_the_way(start: Start, options, environment):
    terminal = start("-c", "1", *options, **environment)

    assert worker_app.add.delay(1, 2).get(timeout=20) == 3
    terminal.signal(signal.SIGTERM)

    assert terminal.wait() == 0
    assert b"running" not in terminal.screen.written
    assert b"\x1b[J" not in terminal.screen.written


def test_asking_for_one_without_a_terminal_is_refused():
    command = [sys.executable, "-m", "cloudq", "worker", "-A", "worker_app", "--status"]
    ended = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=50, check=False)

    assert ended.returncode == 2
    assert "--status needs a terminal" in ended.stderr
