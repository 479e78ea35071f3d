"""`cloudq task`: lists, calls, and what became of a call."""

from __future__ import annotations

import importlib
import threading

import pytest

from cloudq.delivery import Delivery
from cloudq.execution import Context, execute
from cloudq.settling import Settler

APP = """
import cloudq
from datetime import date

app = cloudq.App("shop", broker="sqlite:///shop.db", backend="sqlite:///shop.db")

@app.task(queue="sums", retries=1, time_limit=5)
def add(x: int, y: int = 2) -> int:
    return x + y

@app.task(queue="days")
def after(day: date, word: str) -> date:
    return day

@app.task(queue="sums", retries=0)
def fail() -> None:
    raise RuntimeError("never works")
"""


@pytest.fixture
def app(shell):
    return shell.write_module(APP)


def call(shell, app, name, *words):
    return shell.run("task", "call", f"{app}.{name}", *words, "-A", app, "--json")


def body(app, queue):
    """What waits in a queue; its app closes what it opened."""
    loaded = importlib.import_module(app).app
    (delivery,) = loaded.broker.receive([queue], limit=1, lease=60, wait=0)
    loaded.close()
    return delivery.body.decode()


class TestList:
    def test_tasks_have_their_queue_and_limits(self, shell, app):
        tasks = {task["name"]: task for task in shell.run("task", "list", "-A", app, "--json").json["tasks"]}

        assert tasks[f"{app}.add"] == {"name": f"{app}.add", "queue": "sums", "retries": 1, "time_limit": 5}
        assert len(tasks) == 3

    def test_no_app_says_how_to_name_one(self, shell):
        ended = shell.run("task", "list")

        assert ended.code == 2
        assert "-A shop.tasks" in ended.err


class TestCall:
    def test_call_is_sent_to_its_queue(self, shell, app):
        ended = shell.run("task", "call", f"{app}.add", "1", "-A", app)

        assert ended.code == 0
        assert "to queue sums" in ended.out
        assert '"args":[1]' in body(app, "sums")

    def test_words_that_are_json_are_values_and_others_text(self, shell, app):
        assert call(shell, app, "after", "2026-01-02", "hello world").code == 0
        assert '"args":["2026-01-02","hello world"]' in body(app, "days")

    def test_quoted_json_is_text(self, shell, app):
        assert call(shell, app, "after", "2026-01-02", '"1"').code == 0
        assert '"args":["2026-01-02","1"]' in body(app, "days")

    def test_argument_with_a_minus_says_where_to_put_two(self, shell, app):
        ended = call(shell, app, "add", "-1", "-2")

        assert ended.code == 2
        assert "put -- before arguments" in ended.json["error"]["message"]

    def test_arguments_behind_two_minus_are_no_options(self, shell, app):
        assert shell.run("task", "call", f"{app}.add", "-A", app, "--", "-1", "-2").code == 0
        assert '"args":[-1,-2]' in body(app, "sums")

    def test_arguments_can_be_given_as_json(self, shell, app):
        assert call(shell, app, "add", "--args", "[5]", "--kwargs", '{"y": 6}').code == 0
        assert '"args":[5],"kwargs":{"y":6}' in body(app, "sums")

    @pytest.mark.parametrize("given", ["[5", "5", '{"x": 5}'])
    def test_arguments_that_are_no_array_are_refused(self, shell, app, given):
        ended = call(shell, app, "add", "--args", given)

        assert ended.code == 2
        assert "--args" in ended.json["error"]["message"]

    def test_another_queue_and_a_countdown_are_taken(self, shell, app):
        ended = call(shell, app, "add", "1", "--queue", "later", "--countdown", "60")

        assert ended.json["queue"] == "later"
        (later,) = shell.run("queue", "stats", "later", "-A", app, "--json").json["queues"]
        assert later["delayed"] == 1

    def test_argument_of_the_wrong_type_is_named(self, shell, app):
        ended = call(shell, app, "add", "one")

        assert ended.code == 2
        assert "argument 'x'" in ended.json["error"]["message"]

    def test_missing_argument_is_named(self, shell, app):
        ended = call(shell, app, "add")

        assert ended.code == 2
        assert "'x'" in ended.json["error"]["message"]

    def test_unknown_task_names_the_nearest(self, shell, app):
        ended = shell.run("task", "call", f"{app}.ad", "-A", app)

        assert ended.code == 2
        assert f"Did you mean {app}.add?" in ended.err

    def test_memory_is_refused_since_it_ends_with_the_command(self, shell, app):
        ended = shell.run("task", "call", f"{app}.add", "1", "-A", app, "--broker", "memory://")

        assert ended.code == 2
        assert "memory://" in ended.err


class TestWait:
    def test_result_is_printed_when_it_is_there(self, shell, app):
        with consumer(app, "sums"):
            ended = shell.run("task", "call", f"{app}.add", "1", "-A", app, "--wait=20")

        assert (ended.code, ended.out) == (0, "3\n")

    def test_json_has_result_and_state(self, shell, app):
        with consumer(app, "sums"):
            ended = call(shell, app, "add", "1", "--wait=20")

        assert (ended.json["state"], ended.json["result"]) == ("SUCCESS", 3)

    def test_failure_is_told_with_its_traceback(self, shell, app):
        with consumer(app, "sums"):
            ended = call(shell, app, "fail", "--wait=20")

        assert ended.code == 1
        assert "never works" in ended.json["error"]["message"]
        assert "in fail" in ended.json["error"]["traceback"]

    def test_no_result_in_time_is_told_with_the_id(self, shell, app):
        ended = call(shell, app, "add", "1", "--wait=0.01")

        assert (ended.code, ended.json["error"]["type"]) == (1, "ResultTimeoutError")
        assert ended.json["error"]["id"] in body(app, "sums")

    def test_waiting_without_a_backend_is_refused_before_anything_is_sent(self, shell):
        app = shell.write_module(APP.replace(', backend="sqlite:///shop.db"', ""))

        ended = call(shell, app, "add", "1", "--wait")

        assert ended.code == 2
        assert shell.run("queue", "stats", "sums", "-A", app).code == 1


class TestShow:
    def test_record_of_a_call_is_shown(self, shell, app):
        with consumer(app, "sums"):
            sent = call(shell, app, "add", "1", "--wait=20").json["id"]

        shown = shell.run("task", "show", sent, "-A", app)
        assert shown.code == 0
        assert "SUCCESS" in shown.out
        assert shell.run("task", "show", sent, "-A", app, "--json").json["result"] == 3

    def test_traceback_of_a_failure_is_shown(self, shell, app):
        with consumer(app, "sums"):
            sent = call(shell, app, "fail", "--wait=20").json["error"]["id"]

        assert "RuntimeError: never works" in shell.run("task", "show", sent, "-A", app).out

    def test_call_that_nothing_is_known_of_is_told_so(self, shell, app):
        ended = shell.run("task", "show", "nothing", "-A", app)

        assert ended.code == 1
        assert "Nothing is known of nothing" in ended.err

    def test_no_backend_is_told_by_the_settings_name(self, shell, app):
        ended = shell.run("task", "show", "1", "--broker", "sqlite:///shop.db")

        assert ended.code == 2
        assert "CLOUDQ_RESULT_BACKEND" in ended.err


class consumer:  # noqa: N801 - a context manager, in the place of a worker
    """A thread that runs what comes into a queue, with an app of its own."""

    def __init__(self, app, queue):
        self.module, self.queue, self.stopped = app, queue, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join(timeout=20)

    def run(self):
        app = fresh(self.module)
        app.declare(self.queue)
        settler = Settler(app.broker, app.results)
        while not self.stopped.is_set():
            for delivery in app.broker.receive([self.queue], limit=1, lease=60, wait=0.05):
                settler.settle([(delivery, execute(app, delivery.body, context(delivery)))])
        app.close()


def context(delivery: Delivery) -> Context:
    return Context(queue=delivery.queue, receive_count=delivery.receive_count)


def fresh(module):
    """The app anew, so that this thread's connections aren't the command's."""
    spec = importlib.util.find_spec(module)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made.app
