"""`cloudq queue`: counts, lists, purges; and how it finds what it is about."""

from __future__ import annotations

import pytest

from tests.cli_runner import Shell

APP = """
import cloudq

app = cloudq.App("shop", broker="sqlite:///queues.db", queues=[cloudq.Queue("images", consumer="lambda")])

@app.task(queue="emails")
def send(to: str) -> None: ...

@app.task(queue="images")
def shrink(path: str) -> None: ...
"""


@pytest.fixture
def shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return Shell(tmp_path)


@pytest.fixture
def app(shell):
    """An app with two messages for one of its queues; the other isn't made yet."""
    name = shell.write_module(APP)
    for _ in range(2):
        assert shell.run("task", "call", f"{name}.send", "me", "-A", name).code == 0
    return name


class TestStats:
    def test_all_queues_of_the_app_are_counted(self, shell, app):
        lines = shell.run("queue", "stats", "-A", app).out.splitlines()

        assert [line.split()[:5] for line in lines] == [
            ["queue", "ready", "leased", "delayed", "dead"],
            ["images", "-", "-", "-", "-"],
            ["emails", "2", "0", "0", "0"],
        ]

    def test_json_is_one_document(self, shell, app):
        images, emails = shell.run("queue", "stats", "-A", app, "--json").json["queues"]

        assert images == {"name": "images", "exists": False}
        assert (emails["exists"], emails["ready"], emails["dead"]) == (True, 2, 0)

    def test_named_queues_are_counted_alone(self, shell, app):
        found = shell.run("queue", "stats", "emails", "emails-dead", "-A", app, "--json").json

        assert [queue["name"] for queue in found["queues"]] == ["emails", "emails-dead"]

    def test_app_comes_from_the_environment_too(self, shell, app):
        assert shell.run("queue", "stats", env={"CLOUDQ_APP": app}).code == 0

    def test_no_app_is_needed_where_a_broker_is_named(self, shell, app):
        ended = shell.run("queue", "stats", "--broker", "sqlite:///queues.db", "--json")

        assert [queue["name"] for queue in ended.json["queues"]] == ["emails"]

    def test_no_app_is_needed_where_the_environment_names_a_broker(self, shell, app):
        ended = shell.run("queue", "stats", "emails", env={"CLOUDQ_BROKER_URL": "sqlite:///queues.db"})

        assert ended.code == 0

    def test_neither_app_nor_broker_says_how_to_name_one(self, shell):
        ended = shell.run("queue", "stats")

        assert ended.code == 2
        assert "-A shop.tasks" in ended.err
        assert "CLOUDQ_BROKER_URL" in ended.err
        assert not (shell.folder / ".cloudq").exists()

    def test_default_broker_is_asked_once_something_waits_there(self, shell):
        name = shell.write_module(APP.replace('broker="sqlite:///queues.db", ', ""))
        assert shell.run("task", "call", f"{name}.send", "me", "-A", name).code == 0

        ended = shell.run("queue", "stats", "--json")

        assert [queue["ready"] for queue in ended.json["queues"]] == [1]

    def test_unknown_queue_names_the_nearest(self, shell, app):
        ended = shell.run("queue", "stats", "emals", "-A", app)

        assert ended.code == 2
        assert "There is no queue 'emals'. Did you mean emails?" in ended.err

    def test_unknown_queue_without_an_app_names_what_the_broker_has(self, shell, app):
        ended = shell.run("queue", "stats", "nothing", "--broker", "sqlite:///queues.db")

        assert ended.code == 2
        assert "emails, emails-dead" in ended.err

    def test_queue_of_the_app_that_is_not_made_yet_is_no_misuse_of_the_command(self, shell, app):
        assert shell.run("queue", "stats", "images", "-A", app).code == 1

    def test_queues_in_another_processes_memory_are_out_of_sight(self, shell, app):
        ended = shell.run("queue", "stats", "-A", app, "--broker", "memory://")

        assert ended.code == 2
        assert "own process alone" in ended.err

    def test_broker_of_the_command_line_beats_the_apps(self, shell, app):
        ended = shell.run("queue", "stats", "-A", app, "--broker", "sqlite:///other.db", "--json")

        assert [queue["exists"] for queue in ended.json["queues"]] == [False, False]


class TestList:
    def test_queues_have_their_options_and_tasks(self, shell, app):
        images, emails = shell.run("queue", "list", "-A", app, "--json").json["queues"]

        assert (images["consumer"], images["tasks"]) == ("lambda", [f"{app}.shrink"])
        assert (emails["lease"], emails["dead_letter"]) == (60, "emails-dead")

    def test_queues_of_the_broker_alone_follow(self, shell, app):
        assert shell.run("task", "call", f"{app}.send", "me", "--queue", "spare", "-A", app).code == 0

        rows = {row["name"]: row for row in shell.run("queue", "list", "-A", app, "--json").json["queues"]}

        assert {name: row["in_app"] for name, row in rows.items()} == {
            "images": True,
            "emails": True,
            "spare": False,
        }
        assert rows["spare"]["lease"] is None

    def test_without_an_app_nothing_is_known_but_names(self, shell, app):
        (emails,) = shell.run("queue", "list", "--broker", "sqlite:///queues.db", "--json").json["queues"]

        assert (emails["name"], emails["in_app"], emails["lease"]) == ("emails", False, None)

    def test_app_s_queues_are_listed_though_its_broker_is_away(self, shell, app):
        ended = shell.run(
            "queue", "list", "-A", app, "--json", "--broker", "sqs://eu-west-1?endpoint=http://127.0.0.1:9"
        )

        assert [row["name"] for row in ended.json["queues"]] == ["images", "emails"]
        assert "The app's queues only" in ended.err

    def test_table_has_a_line_for_each(self, shell, app):
        assert len(shell.run("queue", "list", "-A", app).out.splitlines()) == 3


class TestPurge:
    def test_messages_are_deleted_after_a_yes(self, shell, app):
        ended = shell.run("queue", "purge", "emails", "-A", app, said="y\n")

        assert ended.code == 0
        assert "Delete 2 messages of queue 'emails'?" in ended.out
        assert ready(shell, app) == 0

    @pytest.mark.parametrize("said", ["n\n", ""])
    def test_messages_stay_without_a_yes(self, shell, app, said):
        assert shell.run("queue", "purge", "emails", "-A", app, said=said).code == 1
        assert ready(shell, app) == 2

    def test_one_message_is_counted_as_one(self, shell, app):
        assert shell.run("task", "call", f"{app}.send", "me", "--queue", "spare", "-A", app).code == 0

        assert "1 message deleted." in shell.run("queue", "purge", "spare", "--yes", "-A", app).out

    def test_yes_can_be_said_before(self, shell, app):
        ended = shell.run("queue", "purge", "emails", "--yes", "--json", "-A", app)

        assert ended.json == {"queue": "emails", "deleted": 2}
        assert ready(shell, app) == 0

    def test_json_alone_is_refused_since_nobody_can_be_asked(self, shell, app):
        assert shell.run("queue", "purge", "emails", "--json", "-A", app).code == 2
        assert ready(shell, app) == 2


def ready(shell, app):
    return shell.run("queue", "stats", "emails", "-A", app, "--json").json["queues"][0]["ready"]
