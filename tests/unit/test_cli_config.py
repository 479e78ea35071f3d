"""`cloudq config`: every setting, its value and where it came from."""

from __future__ import annotations

import pytest

from cloudq.cli.output import masked

APP = """
import cloudq

app = cloudq.App("shop", broker="sqlite:///code.db", task_lease=120)

@app.task
def nothing() -> None: ...
"""


def settings(shell, *words, env=None):
    return shell.run("config", *words, "--json", env=env).json["settings"]


def test_each_setting_has_its_value_and_source(shell):
    name = shell.write_module(APP)

    found = settings(shell, "-A", name, env={"CLOUDQ_TASK_TIME_LIMIT": "30"})

    assert found["task_lease"] == {"value": 120, "source": "code"}
    assert found["task_time_limit"] == {"value": 30, "source": "environment, CLOUDQ_TASK_TIME_LIMIT"}
    assert found["worker_grace"] == {"value": 30, "source": "default"}


def test_command_line_beats_environment_beats_code_beats_file(shell):
    name = shell.write_module(APP)
    (shell.folder / "pyproject.toml").write_text("[tool.cloudq]\ntask_lease = 7\nworker_grace = 8\n")

    strongest = settings(shell, "-A", name, "--broker", "memory://", env={"CLOUDQ_BROKER_URL": "sqs://"})
    second = settings(shell, "-A", shell.write_module(APP), env={"CLOUDQ_BROKER_URL": "sqs://"})

    assert strongest["broker_url"] == {"value": "memory://", "source": "command line"}
    assert second["broker_url"]["value"] == "sqs://"
    assert second["task_lease"] == {"value": 120, "source": "code"}
    assert second["worker_grace"] == {"value": 8, "source": "file"}


def test_module_of_settings_stands_in_for_the_project_file(shell):
    module = shell.write_module("worker_grace = 9\n")
    (shell.folder / "pyproject.toml").write_text("[tool.cloudq]\nworker_grace = 8\n")

    assert settings(shell, "--config", module)["worker_grace"]["value"] == 9


def test_no_app_shows_what_is_set_outside(shell):
    assert settings(shell, env={"CLOUDQ_TASK_LEASE": "5"})["task_lease"]["value"] == 5


def test_unknown_setting_names_the_nearest(shell):
    ended = shell.run("config", env={"CLOUDQ_TASK_LEESE": "5"})

    assert ended.code == 2
    assert "CLOUDQ_TASK_LEESE" in ended.err
    assert "Did you mean CLOUDQ_TASK_LEASE?" in ended.err


@pytest.mark.parametrize(
    ("variable", "url"), [("CLOUDQ_BROKER_URL", "rabbit://localhost"), ("CLOUDQ_RESULT_BACKEND", "file.db")]
)
def test_url_that_no_command_could_use_is_refused(shell, variable, url):
    ended = shell.run("config", env={variable: url})

    assert ended.code == 2
    assert f"'{url}': a URL that starts with one of" in ended.err


def test_what_is_not_set_is_shown_in_one_way(shell):
    words = ("config", "--broker", "memory://")

    rows = [line.split() for line in shell.run(*words).out.splitlines()]
    unset = settings(shell, *words[1:])

    assert {row[0] for row in rows if row[1] == "-"} == {
        "result_backend",
        "task_routes",
        "task_time_limit",
        "task_soft_time_limit",
        "claim_checks",
        "create_queues",
        "worker_concurrency",
        "worker_max_memory_per_child",
        "worker_max_tasks_per_child",
    }
    assert unset["result_backend"]["value"] is None


def test_missing_module_of_settings_is_named(shell):
    ended = shell.run("config", "--config", "not_there_at_all")

    assert ended.code == 2
    assert "not_there_at_all" in ended.err


def test_table_has_a_line_for_each_setting(shell):
    lines = shell.run("config", "--broker", "memory://").out.splitlines()

    assert lines[0].split() == ["setting", "value", "from"]
    assert "broker_url" in lines[1]
    assert lines[1].endswith("command line")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:pass@host:6379/0", "redis://user:***@host:6379/0"),
        ("amqp://token@host", "amqp://***@host"),
        ("sqs://?prefix=a&secret_key=b", "sqs://?prefix=a&secret_key=***"),
        ("sqlite:////var/lib/queue.db", "sqlite:////var/lib/queue.db"),
        ("sqlite:///queue.db?synchronous=normal", "sqlite:///queue.db?synchronous=normal"),
        ("memory://", "memory://"),
    ],
)
def test_secrets_in_urls_are_hidden(url, shown):
    assert masked(url) == shown
