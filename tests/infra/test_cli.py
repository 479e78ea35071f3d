"""`cloudq infra` on the command line."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from cloudq_infra.cli import infra

TASKS = """
import cloudq

app = cloudq.App("bakery", queues=[cloudq.Queue("ovens", consumer="lambda")])

@app.task(queue="orders")
def order(loaf: str) -> None: ...
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs a command in a folder with an app in `bakery_tasks`; one module each, since imports are kept."""
    module = f"tasks_of_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("CLOUDQ_APP", raising=False)

    def run(*arguments):
        return CliRunner().invoke(infra, [argument.replace("APP", module) for argument in arguments])

    return run


def test_template_goes_to_standard_output(run):
    result = run("template", "-A", "APP")

    assert result.exit_code == 0
    assert "OvensFunction:" in result.stdout
    assert "OrdersQueue:" in result.stdout


def test_template_in_json_has_no_short_forms(run):
    result = run("template", "-A", "APP", "--json")

    source = json.loads(result.stdout)["Resources"]["OvensQueue"]["Properties"]
    assert source["QueueName"] == {"Fn::Sub": "${Prefix}ovens"}


def test_fresh_file_is_current(run, tmp_path):
    assert run("template", "-A", "APP", "-o", "template.yaml").exit_code == 0

    result = run("check")

    assert (tmp_path / "template.yaml").exists()
    assert (result.exit_code, result.stdout) == (0, "")


def test_stale_file_fails_with_the_difference(run, tmp_path):
    run("template", "-A", "APP", "-o", "template.yaml")
    file = tmp_path / "template.yaml"
    file.write_text(file.read_text().replace("Timeout: 60", "Timeout: 30"))

    result = run("check", "template.yaml")

    assert result.exit_code == 1
    assert "-      Timeout: 30" in result.stdout
    assert "+      Timeout: 60" in result.stdout
    assert "stale" in result.stderr


def test_check_in_json_says_whether_it_is_current(run, tmp_path):
    run("template", "-A", "APP", "-o", "template.yaml")
    file = tmp_path / "template.yaml"
    file.write_text(file.read_text() + "# mine\n")

    result = run("check", "--json")

    answer = json.loads(result.stdout)
    assert result.exit_code == 1
    assert answer["current"] is False
    assert "-# mine" in answer["difference"]


def test_writing_anew_keeps_what_the_file_was_written_with(run):
    run("template", "-A", "APP", "-o", "template.yaml", "--env", "SHOP=/tmp", "--code", "src")

    again = run("template", "-o", "template.yaml", "--json")

    assert json.loads(again.stdout) == {"file": "template.yaml", "changed": False}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "text"),
    [
        (["template"], 2, "-A module"),
        (["check"], 1, "Can't read template.yaml"),
        (["check", "APP.py"], 1, "was not written by"),
        (["template", "-A", "APP:nothing"], 1, "nothing"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(run, arguments, exit_code, text):
    result = run(*arguments)

    assert result.exit_code == exit_code
    assert text in result.stderr
    assert "Traceback" not in result.output
