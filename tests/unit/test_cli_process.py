"""What a person sees when something is wrong: `cloudq` as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path):
    package = tmp_path / "shop"
    package.mkdir()
    files = {
        "__init__": "",
        "tasks": "import cloudq\napp = cloudq.App('shop', broker='sqlite:///shop.db')\n",
        "broken": "from shop import helper\n",
        "helper": "def work():\n    return 1 / 0\n\nwork()\n",
        "needy": "import not_there_at_all\n",
        "torn": "def f(:\n",
        "leaving": "raise SystemExit('not today')\n",
        "typo": "import cloudq\napp = cloudq.App('x', broker='memory://', task_leese=3)\n",
        "empty": "",
        "several": "import cloudq\na = cloudq.App('a', environ={})\nb = cloudq.App('b', environ={})\n",
    }
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    return tmp_path


def run(project, *words, **variables):
    environment = {
        **os.environ,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nowhere",
        **variables,
    }
    environment["AWS_SHARED_CREDENTIALS_FILE"] = "/nowhere"
    command = [sys.executable, "-m", "cloudq", *words]
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=50, check=False
    )


def test_missing_module_names_the_nearest(project):
    ended = run(project, "queue", "stats", "-A", "shop.task")

    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: There is no module 'shop.task'")
    assert "Did you mean shop.tasks?" in ended.stderr


def test_missing_package_says_where_it_was_looked_for(project):
    ended = run(project, "queue", "stats", "-A", "elsewhere.tasks")

    assert ended.returncode == 2
    assert str(project) in ended.stderr


@pytest.mark.parametrize("path", ["shop/tasks.py", "shop/tasks", "./shop/tasks", "./shop/tasks.py:app"])
def test_path_in_place_of_a_module_is_told_its_modules_name(project, path):
    ended = run(project, "queue", "stats", "-A", path)

    assert ended.returncode == 2
    assert "Did you mean shop.tasks?" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_error_in_the_apps_module_is_shown_as_the_users_own_traceback(project):
    ended = run(project, "queue", "stats", "-A", "shop.broken")

    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    frames = [line for line in lines if line.startswith("  File")]
    assert [Path(frame.split('"')[1]).name for frame in frames] == [
        "broken.py",
        "helper.py",
        "helper.py",
    ]
    assert lines[-1] == "Error: Importing 'shop.broken' fails: ZeroDivisionError: division by zero"


def test_import_that_fails_inside_the_module_is_no_missing_module(project):
    ended = run(project, "queue", "stats", "-A", "shop.needy")

    assert ended.returncode == 2
    assert "needy.py" in ended.stderr
    assert "No module named 'not_there_at_all'" in ended.stderr
    assert "There is no module" not in ended.stderr


def test_syntax_error_shows_its_line(project):
    ended = run(project, "queue", "stats", "-A", "shop.torn")

    assert "def f(:" in ended.stderr
    assert "SyntaxError" in ended.stderr.splitlines()[-1]


def test_module_that_exits_when_imported_is_told_so(project):
    ended = run(project, "queue", "stats", "-A", "shop.leaving")

    assert (ended.returncode, "SystemExit: not today" in ended.stderr) == (2, True)


def test_wrong_setting_in_the_module_shows_the_users_line(project):
    ended = run(project, "queue", "stats", "-A", "shop.typo")

    assert "typo.py" in ended.stderr
    assert "Did you mean task_lease?" in ended.stderr.splitlines()[-1]
    assert "cloudq/app.py" not in ended.stderr


def test_module_without_an_app_is_told_so(project):
    ended = run(project, "queue", "stats", "-A", "shop.empty")

    assert ended.returncode == 2
    assert "no cloudq.App" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_module_with_several_apps_asks_which(project):
    assert "2 apps" in run(project, "queue", "stats", "-A", "shop.several").stderr


def test_json_has_the_users_traceback(project):
    ended = run(project, "queue", "stats", "-A", "shop.broken", "--json")

    assert (ended.returncode, ended.stderr) == (2, "")
    assert '"type": "AppImportError"' in ended.stdout
    assert "helper.py" in ended.stdout


def test_broker_that_cannot_be_reached_is_named(project):
    url = "sqs://eu-west-1?endpoint=http://127.0.0.1:9"

    ended = run(
        project, "queue", "stats", "emails", "--broker", url, AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s"
    )

    assert ended.returncode == 1
    assert "http://127.0.0.1:9" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_missing_credentials_say_how_to_give_some(project):
    ended = run(
        project, "queue", "stats", "emails", "--broker", "sqs://eu-west-1?endpoint=http://127.0.0.1:9"
    )

    assert ended.returncode == 2
    assert "AWS_ACCESS_KEY_ID" in ended.stderr


def test_output_into_a_pipe_has_no_colour(project):
    assert "\x1b" not in run(project, "queue", "stats", "-A", "nothing").stderr


def test_default_broker_is_noticed_once(project):
    (project / "shop" / "plain.py").write_text("import cloudq\n@cloudq.task\ndef f() -> None: ...\n")

    ended = run(project, "task", "call", "shop.plain.f", "-A", "shop.plain")

    assert ended.returncode == 0
    assert ended.stderr.count("No broker is configured") == 1
    assert ended.stdout.startswith("Sent ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-Q", "defualt"], "Did you mean 'default'?"),
        (["-Q", ","], "-Q names no queue."),
        (["-Q", "default,default"], "names a queue twice"),
        (["-c", "0"], "0 is not in the range x>=1"),
        (["-c", "-3"], "-3 is not in the range x>=1"),
        (["--pool", "eventlet"], "'prefork', 'thread', 'asyncio', 'gevent', 'solo'"),
        (["--pool", "solo", "-c", "4"], "--pool solo runs one task at a time"),
        (["--pool", "prefork", "--processes", "4"], "say -c 4"),
        (["--pool", "thread", "--processes", "4", "-c", "2"], "4 processes can't share -c 2"),
        (["--grace", "-1"], "-1.0 is not in the range x>=0"),
        (["--grace", "nan"], "--grace is a number of seconds"),
        (["--broker", "memory://"], "use sqlite:///path, or --pool solo"),
        (["--status"], "--status needs a terminal"),
    ],
    ids=lambda said: " ".join(said) if isinstance(said, list) else "",
)
def test_worker_refuses_what_makes_no_sense_and_says_why(project, options, said):
    ended = run(project, "worker", "-A", "shop.tasks", *options)

    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_worker_says_that_its_app_has_no_tasks(project):
    ended = run(project, "worker", "-A", "shop.tasks", "--burst")

    assert ended.returncode == 0
    assert "no tasks: the module that -A names must define them" in ended.stderr
