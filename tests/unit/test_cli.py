"""The command `cloudq` itself: what it lists, what it loads, how it tells failures."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import click
import pytest

from cloudq import __version__
from cloudq.cli import commands
from cloudq.cli.failures import failure_of
from cloudq.cli.output import print_table, seconds
from cloudq.errors import (
    ArgumentError,
    BrokerUnavailableError,
    ConfigurationError,
    ResultTimeoutError,
    TaskFailedError,
    UnknownTaskError,
)


@pytest.fixture
def plugins(monkeypatch):
    """Stand-ins for the entry points that are installed."""
    found = {}
    monkeypatch.setattr(commands, "_plugins", lambda: found)
    return found


class TestGroup:
    def test_help_lists_every_command_in_one_line(self, shell):
        ended = shell.run("--help")

        assert ended.code == 0
        for name in ("config", "emulate", "infra", "queue", "task", "worker"):
            assert any(
                line.split()[:1] == [name] and len(line.split()) > 3 for line in ended.out.splitlines()
            )

    def test_help_shows_examples_line_by_line(self, shell):
        lines = shell.run("--help").out.splitlines()

        assert "  cloudq worker -A shop.tasks" in lines
        assert "  cloudq queue stats -A shop.tasks" in lines

    @pytest.mark.parametrize(
        "words",
        [
            "config",
            "queue stats",
            "queue list",
            "queue purge",
            "task list",
            "task call",
            "task show",
            "worker",
        ],
    )
    def test_help_of_each_command_has_an_example(self, shell, words):
        ended = shell.run(*words.split(), "--help")

        assert ended.code == 0
        assert f"\n  cloudq {words}" in ended.out

    def test_bare_command_shows_its_help_as_misuse(self, shell):
        ended = shell.run()

        assert (ended.code, ended.out) == (2, "")
        assert "Commands:" in ended.err

    def test_version_is_told(self, shell):
        assert shell.run("--version").out == f"cloudq {__version__}\n"

    def test_unknown_command_names_the_nearest(self, shell):
        ended = shell.run("wrker")

        assert ended.code == 2
        assert "Did you mean worker?" in ended.err

    def test_app_may_be_named_before_the_command_as_celery_s_users_do(self, shell):
        module = shell.write_module(
            "import cloudq\napp = cloudq.App('shop', broker='memory://')\n"
            "@app.task(name='add')\ndef add() -> None: ...\n"
        )

        before = shell.run("-A", module, "task", "list", "--json", env={"CLOUDQ_APP": "elsewhere"})
        both = shell.run("-A", "elsewhere", "task", "list", "-A", module, "--json")

        assert [task["name"] for task in before.json["tasks"]] == ["add"]
        assert both.json == before.json

    def test_pool_has_celery_s_short_name_too(self, shell):
        assert "-P, --pool" in shell.run("worker", "--help").out

    def test_help_loads_neither_an_app_nor_the_emulator(self):
        program = (
            "import sys\n"
            "from cloudq.cli import main\n"
            "try: main(['--help'])\n"
            "except SystemExit: pass\n"
            "loaded = {'moto', 'boto3', 'pydantic', 'cloudq.app', 'cloudq.worker', 'cloudq_emulator'}\n"
            "print(sorted(loaded & set(sys.modules)), file=sys.stderr)\n"
        )

        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

        assert run.stderr.strip() == "[]"


class TestPlugins:
    def test_command_of_another_distribution_is_listed_and_runs(self, shell, plugins):
        plugins["greet"] = FakeEntryPoint(
            "greet", lambda: click.Command("greet", callback=lambda: click.echo("hi"))
        )

        assert "From somewhere." in shell.run("--help").out
        assert shell.run("greet").out == "hi\n"

    def test_missing_extra_is_named(self, shell, plugins):
        plugins["emulate"] = EntryPoint("emulate", "not_there_at_all:emulate", "cloudq.commands")

        ended = shell.run("emulate")

        assert ended.code == 2
        assert "not_there_at_all" in ended.err
        assert "pip install 'cloudq[emulator]'" in ended.err


class FakeEntryPoint:
    def __init__(self, name, load):
        self.name, self.load = name, load
        self.dist = type("Distribution", (), {"name": "somewhere"})


class TestFailures:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (ConfigurationError("x"), 2),
            (ArgumentError("x", task="t"), 2),
            (UnknownTaskError("x", task="t"), 2),
            (click.UsageError("x"), 2),
            (BrokerUnavailableError("x"), 1),
            (ResultTimeoutError("x", id="1"), 1),
            (TaskFailedError("x", id="1", error="e"), 1),
            (click.ClickException("x"), 1),
        ],
    )
    def test_exit_code_tells_misuse_from_failure(self, error, code):
        assert failure_of(error).code == code

    def test_failure_of_a_task_has_its_id_and_traceback(self):
        failure = failure_of(TaskFailedError("x", id="1", error="e", traceback="File …"))

        assert (failure.id, failure.traceback) == ("1", "File …")

    def test_misuse_is_told_in_json_where_json_was_asked_for(self, shell):
        ended = shell.run("queue", "stats", "--nonsense", "--json")

        assert (ended.code, ended.err) == (2, "")
        assert "--nonsense" in ended.json["error"]["message"]

    def test_json_behind_two_dashes_is_somebody_elses(self, shell):
        ended = shell.run("emulate", "--port", "x", "--", "echo", "--json")

        assert (ended.code, ended.out) == (2, "")


class TestOutput:
    def test_columns_are_aligned_and_numbers_stand_right(self, capsys):
        print_table(("name", "count"), [("a", 5), ("longer", 12345), ("b", None)])

        assert capsys.readouterr().out.splitlines() == [
            "name    count",
            "a           5",
            "longer  12345",
            "b           -",
        ]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, None),
            (0, "0 s"),
            (59.4, "59 s"),
            (60, "1 min 0 s"),
            (3_700, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ],
    )
    def test_durations_have_two_units_at_most(self, value, text):
        assert seconds(value) == text
