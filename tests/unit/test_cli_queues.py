"""`cloudq queue`: counts, lists, purges; and how it finds what it is about."""

from __future__ import annotations

import pytest

APP = """
import cloudq

app = cloudq.App("shop", broker="sqlite:///queues.db", queues=[cloudq.Queue("images", consumer="lambda")])

@app.task(queue="emails")
def send(to: str) -> None: ...

@app.task(queue="images")
def shrink(path: str) -> None: ...
"""


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

        assert images == {"name": "images", "exists": False, "paused": False}
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


class TestPriorities:
    @pytest.fixture
    def name(self, shell):
        return shell.write_module("""
import cloudq

app = cloudq.App("shop", broker="sqlite:///queues.db", queues=[cloudq.Queue("emails", priorities=3)])

@app.task(queue="emails")
def send(to: str) -> None: ...

for priority in (0, 2, 2):
    send.apply_async(("ann",), priority=priority)
""")

    def test_a_queue_is_counted_as_a_whole_and_level_by_level(self, shell, name):
        lines = shell.run("queue", "stats", "-A", name).out.splitlines()

        assert [line.split()[:4] for line in lines[1:]] == [
            ["emails", "3", "0", "0"],
            ["priority", "2", "2", "0"],
            ["priority", "1", "0", "0"],
            ["priority", "0", "1", "0"],
        ]

    def test_a_call_may_name_one_and_one_that_is_not_there_is_misuse(self, shell, name):
        assert shell.run("task", "call", f"{name}.send", "ann", "--priority", "1", "-A", name).code == 0

        ended = shell.run("task", "call", f"{name}.send", "ann", "--priority", "3", "-A", name)

        assert ended.code == 2
        assert "priorities 0 to 2" in ended.err

    def test_json_has_both(self, shell, name):
        (emails,) = shell.run("queue", "stats", "-A", name, "--json").json["queues"]

        assert emails["ready"] == 3
        assert {one["priority"]: one["ready"] for one in emails["priorities"]} == {2: 2, 1: 0, 0: 1}

    def test_the_list_says_how_many_there_are_and_hides_the_levels(self, shell, name):
        (emails,) = shell.run("queue", "list", "-A", name, "--json").json["queues"]

        assert (emails["name"], emails["priorities"]) == ("emails", 3)

    def test_a_peek_shows_the_highest_first_and_a_purge_empties_all(self, shell, name):
        seen = shell.run("queue", "peek", "emails", "--limit", "3", "-A", name, "--json").json["messages"]

        assert len(seen) == 3
        # Loading the module for each command sends three more.
        assert shell.run("queue", "purge", "emails", "--yes", "-A", name, "--json").json["deleted"] >= 3
        assert shell.run("queue", "peek", "emails", "-A", name, "--json").json["messages"] == []


class TestPause:
    @pytest.fixture
    def name(self, shell):
        return shell.write_module(
            APP.replace(
                'broker="sqlite:///queues.db"', 'broker="sqlite:///queues.db", backend="sqlite:///queues.db"'
            )
        )

    def paused(self, shell, name):
        found = shell.run("queue", "list", "-A", name, "--json").json["queues"]
        return [queue["name"] for queue in found if queue["paused"]]

    def test_a_paused_queue_is_shown_as_such_until_it_is_resumed(self, shell, name):
        ended = shell.run("queue", "pause", "emails", "-A", name)

        assert (ended.code, ended.out) == (0, "Queue 'emails' is paused.\n")
        assert self.paused(shell, name) == ["emails"]
        stats = shell.run("queue", "stats", "-A", name, "--json").json["queues"]
        assert {queue["name"]: queue["paused"] for queue in stats} == {"images": False, "emails": True}

        assert shell.run("queue", "resume", "emails", "-A", name, "--json").json == {
            "queues": [{"name": "emails", "paused": False}]
        }
        assert self.paused(shell, name) == []

    def test_without_a_result_backend_the_setting_is_named(self, shell, app):
        ended = shell.run("queue", "pause", "emails", "-A", app)

        assert ended.code == 2
        assert "result_backend" in ended.err
        assert "CLOUDQ_RESULT_BACKEND" in ended.err

    def test_a_queue_that_is_not_there_is_misuse_and_none_is_paused(self, shell, name):
        ended = shell.run("queue", "pause", "images", "emial", "-A", name)

        assert ended.code == 2
        assert "Did you mean emails" in ended.err
        assert self.paused(shell, name) == []

    def test_a_level_of_priority_is_paused_with_its_queue_only(self, shell, name):
        ended = shell.run("queue", "pause", "emails--p1", "-A", name)

        assert ended.code == 2
        assert "'emails'" in ended.err
