"""`cloudq infra` on the command line."""

from __future__ import annotations

import pytest

TASKS = """
import cloudq

app = cloudq.App("bakery", queues=[cloudq.Queue("ovens", consumer="lambda")])

@app.task(queue="orders")
def order(loaf: str) -> None: ...
"""


@pytest.fixture
def run(shell):
    """Runs `cloudq infra` in a folder with an app, for whose module APP stands."""
    module = shell.write_module(TASKS)

    def run(*words):
        return shell.run("infra", *(word.replace("APP", module) for word in words))

    return run


def test_template_goes_to_standard_output(run):
    result = run("template", "-A", "APP")

    assert result.code == 0
    assert "OvensFunction:" in result.out
    assert "OrdersQueue:" in result.out


def test_template_in_json_has_no_short_forms(run):
    result = run("template", "-A", "APP", "--json")

    source = result.json["Resources"]["OvensQueue"]["Properties"]
    assert source["QueueName"] == {"Fn::Sub": "${Prefix}ovens"}


def test_fresh_file_is_current(run, tmp_path):
    assert run("template", "-A", "APP", "-o", "template.yaml").code == 0

    result = run("check")

    assert (tmp_path / "template.yaml").exists()
    assert (result.code, result.out) == (0, "")


def test_stale_file_fails_with_the_difference(run, tmp_path):
    run("template", "-A", "APP", "-o", "template.yaml")
    file = tmp_path / "template.yaml"
    file.write_text(file.read_text().replace("Timeout: 60", "Timeout: 30"))

    result = run("check", "template.yaml")

    assert result.code == 1
    assert "-      Timeout: 30" in result.out
    assert "+      Timeout: 60" in result.out
    assert "stale" in result.err


def test_check_in_json_says_whether_it_is_current(run, tmp_path):
    run("template", "-A", "APP", "-o", "template.yaml")
    file = tmp_path / "template.yaml"
    file.write_text(file.read_text() + "# mine\n")

    result = run("check", "--json")

    answer = result.json
    assert result.code == 1
    assert answer["current"] is False
    assert "-# mine" in answer["difference"]


def test_writing_anew_keeps_what_the_file_was_written_with(run):
    run("template", "-A", "APP", "-o", "template.yaml", "--env", "SHOP=/tmp", "--code", "src")

    again = run("template", "-o", "template.yaml", "--json")

    assert again.json == {"file": "template.yaml", "changed": False}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["template"], "-A shop.tasks"),
        (["check"], "Can't read template.yaml"),
        (["check", "APP.py"], "APP.py was not written by `cloudq infra template`."),
        (["template", "-A", "APP:nothing"], "nothing"),
        (["template", "-A", "APP", "-o", "nowhere/x.yaml"], "there is no folder nowhere"),
        (["template", "-A", "APP", "-o", "."], "directory"),
        (["template", "-A", "APP", "--env", "bad name"], "'bad name'"),
        (["template", "-A", "APP", "--env", "=x"], "''"),
        (["template", "-A", "APP", "--env", "PREFIX"], "PREFIX"),
        (["template", "-A", "APP", "--config", "nowhere"], "'nowhere'"),
    ],
)
def test_misuse_is_told_in_a_line(run, shell, words, text):
    result = run(*words)

    (module,) = [path.stem for path in shell.folder.glob("cli_module_*.py")]
    assert result.code == 2
    assert text.replace("APP", module) in result.err
    assert "Traceback" not in result.err


def test_file_of_somebody_else_is_left_as_it_is_unless_forced(run, tmp_path):
    file = tmp_path / "theirs.yaml"
    file.write_text("Resources: {}\n")

    refused = run("template", "-A", "APP", "-o", "theirs.yaml")
    kept = file.read_text()
    forced = run("template", "-A", "APP", "-o", "theirs.yaml", "--force")

    assert (refused.code, kept) == (2, "Resources: {}\n")
    assert "--force" in refused.err
    assert (forced.code, "OvensQueue:" in file.read_text()) == (0, True)


@pytest.mark.parametrize("words", [["template"], ["check"]])
def test_error_in_the_app_is_shown_as_the_users_own_traceback(shell, run, words):
    run("template", "-A", "APP", "-o", "template.yaml")
    broken = shell.write_module("def bake():\n    return 1 / 0\n\nbake()\n")

    result = shell.run("infra", *words, "-A", broken)

    assert result.code == 2
    assert f"{broken}.py" in result.err
    assert "cloudq/app.py" not in result.err
    assert result.err.splitlines()[-1].endswith("ZeroDivisionError: division by zero")


def test_error_in_the_app_is_told_in_json_where_json_was_asked_for(shell):
    broken = shell.write_module("1 / 0\n")

    result = shell.run("infra", "template", "-A", broken, "--json")

    assert (result.code, result.err) == (2, "")
    assert result.json["error"]["type"] == "AppImportError"


def test_settings_come_from_the_module_that_is_named(shell, run):
    settings = shell.write_module("task_lease = 77.0\n")

    result = run("template", "-A", "APP", "--config", settings, "--json")

    assert result.json["Resources"]["OrdersQueue"]["Properties"]["VisibilityTimeout"] == 77
