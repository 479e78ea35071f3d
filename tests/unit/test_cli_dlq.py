"""`cloudq dlq` and `cloudq queue peek`."""

from __future__ import annotations

import pytest

from cloudq.delivery import Outgoing
from cloudq.finding import load
from cloudq.testing.inline import InlineWorker

APP = """
import cloudq

app = cloudq.App("shop", broker="sqlite:///queues.db", backend="sqlite:///queues.db")

@app.task(queue="emails", retries=0)
def send(to: str) -> None:
    raise LookupError(f"no such mailbox: {to}")

@app.task(queue="images", retries=0)
def shrink(path: str) -> None:
    raise OSError("disk full")
"""


class Project:
    """A module with an app, two of whose messages are dead."""

    def __init__(self, shell):
        self.shell = shell
        self.name = shell.write_module(APP)
        self.app = load(self.name)
        self.task = self.app.tasks[f"{self.name}.send"]

    def let_die(self, *recipients):
        ids = [self.task.delay(to).id for to in recipients]
        InlineWorker(self.app).drain()
        return ids

    def run(self, *words, **more):
        return self.shell.run(*words, "-A", self.name, **more)

    def ready(self, queue):
        return self.app.broker.stats(queue).ready


@pytest.fixture
def project(shell):
    project = Project(shell)
    yield project
    project.app.close()


class TestList:
    def test_it_shows_what_each_died_of(self, project):
        one, _ = project.let_die("ann", "bob")

        ended = project.run("dlq", "list")

        head, first, second = ended.out.splitlines()
        assert head.split() == ["queue", "id", "task", "reason", "text", "failures", "receives", "age"]
        assert first.split()[:4] == ["emails", one, f"{project.name}.send", "failed"]
        assert "LookupError: no such mailbox: ann" in first
        assert "bob" in second

    def test_json_has_everything_that_the_table_has(self, project):
        (one,) = project.let_die("ann")

        (letter,) = project.run("dlq", "list", "--json").json["dead_letters"]

        assert (letter["queue"], letter["dead_letter_queue"], letter["id"]) == ("emails", "emails-dead", one)
        assert (letter["reason"], letter["failures"], letter["receive_count"]) == ("failed", 1, 1)
        assert letter["error"] == "LookupError: no such mailbox: ann"
        assert 0 <= letter["age"] < 60

    def test_a_queue_is_named_by_either_of_its_names(self, project):
        project.let_die("ann")
        project.app.tasks[f"{project.name}.shrink"].delay("a.png")
        InlineWorker(project.app).drain()

        for name in ("images", "images-dead"):
            (letter,) = project.run("dlq", "list", name, "--json").json["dead_letters"]
            assert letter["queue"] == "images"

    def test_some_are_chosen(self, project):
        one, two = project.let_die("ann", "bob")

        def chosen(*words):
            return [
                letter["id"] for letter in project.run("dlq", "list", *words, "--json").json["dead_letters"]
            ]

        assert chosen("--id", two) == [two]
        assert chosen("--task", "*.send", "--reason", "failed", "--since", "1h") == [one, two]
        assert chosen("--task", "*.shrink") == []
        assert chosen("--since", "2100-01-01T00:00:00Z") == []
        assert chosen("--limit", "1") == [one]

    @pytest.mark.parametrize("since", ["yesterday", "2026-01-01T00:00:00"])
    def test_a_since_that_is_no_time_is_misuse(self, project, since):
        ended = project.run("dlq", "list", "--since", since)

        assert ended.code == 2
        assert since in ended.err

    def test_a_queue_that_is_not_there_is_misuse_and_the_nearest_is_named(self, project):
        ended = project.run("dlq", "list", "emial")

        assert ended.code == 2
        assert "emails" in ended.err

    def test_queues_that_are_not_made_yet_have_none(self, project):
        assert project.run("dlq", "list", "--json").json == {"dead_letters": []}

    def test_no_app_is_needed_where_a_broker_is_named(self, project):
        (one,) = project.let_die("ann")

        ended = project.shell.run("dlq", "list", "--broker", "sqlite:///queues.db", "--json")

        assert [letter["id"] for letter in ended.json["dead_letters"]] == [one]


class TestShow:
    def test_it_shows_reason_traceback_and_message(self, project):
        (one,) = project.let_die("ann")

        ended = project.run("dlq", "show", one)

        assert "LookupError: no such mailbox: ann" in ended.out
        assert "Traceback (most recent call last)" in ended.out
        assert f'{project.name}.send("ann")' in ended.out
        assert '"args": [' in ended.out

    def test_json_has_the_original_message(self, project):
        (one,) = project.let_die("ann")

        letter = project.run("dlq", "show", "emails", one, "--json").json

        assert (letter["id"], letter["body"]["args"], letter["generation"]) == (one, ["ann"], 0)
        assert "Traceback" in letter["traceback"]

    def test_one_that_is_not_there_fails(self, project):
        project.let_die("ann")

        ended = project.run("dlq", "show", "nobody")

        assert ended.code == 1
        assert "emails-dead" in ended.err


class TestRedrive:
    def test_all_go_back(self, project):
        project.let_die("ann", "bob")

        ended = project.run("dlq", "redrive")

        assert ended.out == "2 dead letters put back.\n"
        assert (project.ready("emails"), project.ready("emails-dead")) == (2, 0)

    def test_json_counts_what_was_done(self, project):
        one, _ = project.let_die("ann", "bob")

        told = project.run("dlq", "redrive", "emails", "--id", one, "--json").json

        assert told == {
            "redriven": 1, "left": 1, "died_again": 0, "expired": 0, "doubtful": 0, "held": 0, "refused": []
        }  # fmt: skip
        assert (project.ready("emails"), project.ready("emails-dead")) == (1, 1)

    def test_what_is_not_chosen_is_counted(self, project):
        project.let_die("ann", "bob")

        ended = project.run("dlq", "redrive", "--reason", "poison")

        assert ended.out == "0 dead letters put back; 2 left, not chosen.\n"

    def test_the_limit_is_for_all_queues_together(self, project):
        project.let_die("ann", "bob")
        project.app.tasks[f"{project.name}.shrink"].delay("a.png")
        InlineWorker(project.app).drain()

        assert project.run("dlq", "redrive", "--limit", "2", "--json").json["redriven"] == 2

        assert project.ready("emails-dead") + project.ready("images-dead") == 1

    @pytest.mark.parametrize("rate", ["0", "-1", "many"])
    def test_a_rate_that_is_none_is_misuse(self, project, rate):
        assert project.run("dlq", "redrive", "--rate", rate).code == 2

    def test_none_at_all_is_no_failure(self, project):
        ended = project.run("dlq", "redrive", "--rate", "10")

        assert (ended.code, ended.out) == (0, "0 dead letters put back.\n")


class TestPurge:
    def test_it_asks_first(self, project):
        project.let_die("ann", "bob")

        ended = project.run("dlq", "purge", "emails", said="n\n")

        assert ended.code == 1
        assert "Delete all of the 2 dead letters in emails-dead?" in ended.out
        assert project.ready("emails-dead") == 2

    def test_said_yes_they_are_gone(self, project):
        project.let_die("ann", "bob")

        ended = project.run("dlq", "purge", "emails", said="y\n")

        assert ended.out.endswith("2 dead letters deleted.\n")
        assert project.ready("emails-dead") == 0

    def test_only_the_chosen_go(self, project):
        one, _ = project.let_die("ann", "bob")

        assert project.run("dlq", "purge", "--id", one, "--yes", "--json").json["deleted"] == 1

        assert project.ready("emails-dead") == 1

    def test_with_json_nobody_can_be_asked(self, project):
        assert project.run("dlq", "purge", "--json").code == 2


class TestPeek:
    def test_messages_are_shown_and_stay(self, project):
        result = project.task.delay("ann")

        ended = project.run("queue", "peek", "emails")

        head, line = ended.out.splitlines()
        assert head.split() == ["id", "call", "receives", "age"]
        assert line.startswith(f'{result.id}  {project.name}.send("ann")')
        assert project.ready("emails") == 1

    def test_json_has_the_bodies(self, project):
        result = project.task.delay("ann")
        project.app.broker.send("emails", [Outgoing("foreign", b"hello")])

        found = project.run("queue", "peek", "emails", "--json").json

        assert found["queue"] == "emails"
        ours, foreign = found["messages"]
        assert (ours["id"], ours["task"], ours["body"]["args"]) == (
            result.id,
            f"{project.name}.send",
            ["ann"],
        )
        assert (foreign["id"], foreign["task"], foreign["body"]) == ("foreign", None, "hello")

    def test_no_more_than_the_limit(self, project):
        for to in "abc":
            project.task.delay(to)

        assert len(project.run("queue", "peek", "emails", "--limit", "2", "--json").json["messages"]) == 2

    def test_a_queue_that_is_not_there_is_misuse_and_the_nearest_is_named(self, project):
        project.task.delay("ann")

        ended = project.run("queue", "peek", "emial")

        assert ended.code == 2
        assert "Did you mean emails" in ended.err
