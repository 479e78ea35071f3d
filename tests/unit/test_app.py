"""The app: names, routes, what it runs on, and how one is found."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import logging
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import cloudq
from cloudq import app as app_module
from cloudq.app import default_app
from cloudq.backends.memory import MemoryBackend
from cloudq.brokers.memory import MemoryBroker
from cloudq.clock import FakeClock
from cloudq.codec import decode
from cloudq.delivery import Accepted, NotSent, Outgoing, Sent, Unknown
from cloudq.errors import ConfigurationError, NotAcceptedError
from cloudq.finding import load


@pytest.fixture
def no_default_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "_default", None)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_default_app: None) -> Iterator[Path]:
    """A folder whose modules can be loaded; forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    importlib.invalidate_caches()
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(project: Path, name: str, code: str) -> None:
    path = project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(code))
    importlib.invalidate_caches()


class TestRegistering:
    def test_task_bears_its_module_s_and_its_own_name(self, app: cloudq.App):
        @app.task
        def add(x: int) -> int:
            return x

        assert add.name == f"{__name__}.{add.function.__qualname__}"
        assert app.tasks == {add.name: add}

    def test_task_may_bear_another_name(self, app: cloudq.App):
        @app.task(name="sum")
        def add(x: int) -> int:
            return x

        assert add.name == "sum"

    def test_task_that_is_called_runs_here_and_now(self, app: cloudq.App):
        @app.task
        def add(x: int, y: int = 1) -> int:
            return x + y

        assert add(1, y=2) == 3

    def test_task_looks_like_its_function(self, app: cloudq.App):
        @app.task
        def add(x: int) -> int:
            """Adds."""
            return x

        assert add.__doc__ == "Adds."
        assert add.__name__ == "add"

    def test_function_s_own_attributes_do_not_change_the_task(self, app: cloudq.App):
        def add(x: int) -> int:
            return x

        add.name = "mine"  # type: ignore[attr-defined]

        assert app.task(add).name != "mine"

    def test_two_functions_of_one_name_are_refused(self, app: cloudq.App):
        @app.task(name="add")
        def one() -> int:
            return 1

        with pytest.raises(ConfigurationError, match="Two functions are called 'add'"):

            @app.task(name="add")
            def two() -> int:
                return 2

    def test_same_function_may_be_registered_again_as_when_its_module_is_imported_twice(
        self, app: cloudq.App
    ):
        def add(x: int) -> int:
            return x

        app.task(add)
        app.task(add)

        assert len(app.tasks) == 1

    @pytest.mark.parametrize("thing", ["shop.add", functools.partial(int, "1"), 3], ids=repr)
    def test_what_is_no_function_is_no_task(self, app: cloudq.App, thing: object):
        with pytest.raises(ConfigurationError, match="A task is a function"):
            app.task(thing)  # type: ignore[call-overload]

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("retries", -1),
            ("retries", "3"),
            ("retries", 1.5),
            ("retries", True),
            ("retry_on", "OSError"),
            ("retry_on", (OSError, "x")),
            ("give_up_on", 3),
            ("backoff", -1),
            ("backoff", "slowly"),
            ("time_limit", 0),
            ("time_limit", -5),
            ("queue", "two words"),
        ],
    )
    def test_option_of_the_wrong_kind_is_refused_by_name(self, app: cloudq.App, option: str, value: object):
        with pytest.raises(ConfigurationError, match=f"(?i){option}"):
            app.task(**{option: value})  # type: ignore[call-overload]

    def test_unknown_option_lists_what_there_is(self, app: cloudq.App):
        with pytest.raises(ConfigurationError, match=r"'max_retries' is no option.*retries"):
            app.task(max_retries=3)  # type: ignore[call-overload]

    def test_times_may_be_timedeltas(self, app: cloudq.App):
        @app.task(time_limit=timedelta(minutes=1), backoff=timedelta(seconds=5))
        def slow() -> None: ...

        assert slow.options.time_limit == 60
        assert slow.options.policy.backoff.delay(3) == 5

    def test_one_exception_class_needs_no_tuple(self, app: cloudq.App):
        @app.task(retry_on=OSError)
        def fetch() -> None: ...

        assert fetch.options.policy.retry_on == (OSError,)

    def test_task_without_options_is_tried_four_times(self, app: cloudq.App):
        @app.task
        def fetch() -> None: ...

        assert fetch.options.policy.retries == 3


class TestQueues:
    def test_task_s_own_queue_wins_then_the_routes_then_the_default(self, app: cloudq.App):
        app.conf.task_routes = [
            ("feed.*", {"queue": "feeds"}),
            (re.compile(r"(video|image)\..*"), {"queue": "media"}),
        ]
        app.conf.task_default_queue = "other"
        tasks = {
            name: app.task(name=name)(lambda: None)
            for name in ("feed.read", "video.cut", "image.cut", "videos", "mail")
        }
        own = app.task(name="feed.own", queue="own")(lambda: None)

        assert {name: app.queue_of(task) for name, task in tasks.items()} == {
            "feed.read": "feeds",
            "video.cut": "media",
            "image.cut": "media",
            "videos": "other",
            "mail": "other",
        }
        assert app.queue_of(own) == "own"

    def test_routes_may_be_a_function_that_knows_not_all(self, app: cloudq.App):
        app.conf.task_routes = lambda name: {"queue": "feeds"} if name.startswith("feed") else None

        assert app.queue_of(app.task(name="feed.read")(lambda: None)) == "feeds"
        assert app.queue_of(app.task(name="mail")(lambda: None)) == "default"

    def test_queues_are_those_given_and_those_that_tasks_lead_to(self, clock: FakeClock):
        app = cloudq.App(
            "shop",
            broker="memory://",
            environ={},
            clock=clock,
            queues=[cloudq.Queue("slow", lease=600, max_receives=3)],
            task_lease=90,
        )
        app.task(name="a", queue="emails")(lambda: None)

        assert list(app.queues) == ["slow", "emails"]
        assert app.queue("slow").lease_seconds == 600
        assert app.queue("slow").max_receives == 3
        assert app.queue("emails").lease_seconds == 90

    def test_app_without_tasks_has_the_default_queue(self, app: cloudq.App):
        assert list(app.queues) == ["default"]


class TestBrokerAndBackend:
    def test_making_an_app_connects_to_nothing(self):
        app = cloudq.App("shop", broker="sqs://nowhere?prefix=x", environ={})

        assert app._broker is None

    def test_broker_and_backend_are_made_once(self, app: cloudq.App):
        assert isinstance(app.broker, MemoryBroker)
        assert app.broker is app.broker
        assert isinstance(app.backend, MemoryBackend)
        assert app.backend is app.backend

    def test_closed_app_connects_anew(self, app: cloudq.App):
        before = app.broker

        app.close()
        app.close()

        assert app.broker is not before

    @pytest.mark.parametrize("url", ["kafka://x", "memory", "sqs", "SQS://"])
    def test_url_of_no_broker_lists_the_brokers(self, url: str):
        with pytest.raises(ConfigurationError, match=r"broker_url .*memory://.*sqlite://.*sqs://"):
            _ = cloudq.App("shop", broker=url, environ={}).broker

    def test_url_of_no_backend_lists_the_backends(self):
        with pytest.raises(ConfigurationError, match=r"result_backend .*memory://.*sqlite://"):
            _ = cloudq.App("shop", broker="memory://", backend="sqs://", environ={}).backend

    def test_default_broker_is_announced_with_its_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        monkeypatch.chdir(tmp_path)
        app = cloudq.App("shop", environ={})

        with caplog.at_level(logging.WARNING):
            broker = app.broker
        app.close()

        (record,) = [one for one in caplog.records if getattr(one, "action", "") == "default_broker"]
        assert str(tmp_path) in record.getMessage()
        assert broker is not None


class Refusing:
    """A memory broker that refuses some messages, or loses its answer about them."""

    def __init__(self, broker: MemoryBroker, answers: dict[int, Accepted]) -> None:
        self._broker = broker
        self._answers = answers
        self.limits = broker.limits
        self.declare = broker.declare
        self.close = broker.close

    def send(self, queue: str, messages: list[Outgoing]) -> list[Accepted]:
        taken = [one for index, one in enumerate(messages) if index not in self._answers]
        self._broker.send(queue, taken)
        return [self._answers.get(index, Sent()) for index, _ in enumerate(messages)]


class TestSending:
    def refusing(self, app: cloudq.App, answers: dict[int, Accepted]) -> MemoryBroker:
        real = app.broker
        assert isinstance(real, MemoryBroker)
        app._broker = Refusing(real, answers)  # type: ignore[assignment]
        return real

    def test_queue_is_made_on_the_first_send(self, app: cloudq.App):
        add = app.task(name="add")(lambda x: x)

        add.delay(1)

        assert app.broker.stats("default").ready == 1

    def test_message_that_is_refused_is_an_error_that_says_why(self, app: cloudq.App):
        real = self.refusing(app, {0: NotSent("too many at once")})
        add = app.task(name="add")(lambda x: x)

        with pytest.raises(
            NotAcceptedError, match=r"1 of 1 .*'default'.* was not taken: too many at once"
        ) as caught:
            add.delay(1)

        assert caught.value.queue == "default"
        assert caught.value.may_be_sent is False
        assert real.stats("default").ready == 0

    def test_part_of_many_that_is_not_taken_is_counted(self, app: cloudq.App):
        real = self.refusing(app, {1: NotSent("too large"), 2: Unknown("the answer was lost")})
        add = app.task(name="add")(lambda x: x)

        with pytest.raises(NotAcceptedError, match=r"2 of 4 messages .* too large") as caught:
            add.delay_many([(1,), (2,), (3,), (4,)])

        assert caught.value.may_be_sent is True
        assert real.stats("default").ready == 2

    def test_lost_answer_says_that_the_message_may_be_there(self, app: cloudq.App):
        self.refusing(app, {0: Unknown("timed out")})
        add = app.task(name="add")(lambda x: x)

        with pytest.raises(NotAcceptedError, match="may or may not have been taken: timed out") as caught:
            add.delay(1)

        assert caught.value.may_be_sent is True

    def test_delay_longer_than_the_broker_s_is_cut_and_the_eta_kept(self, app: cloudq.App, clock: FakeClock):
        real = app.broker

        class Hasty(Refusing):
            def __init__(self) -> None:
                super().__init__(real, {})  # type: ignore[arg-type]
                self.limits = dataclasses.replace(real.limits, max_delay=900.0)

        app._broker = Hasty()  # type: ignore[assignment]
        add = app.task(name="add")(lambda x: x)

        add.apply_async((1,), countdown=3600)
        clock.advance(900)
        (delivery,) = real.receive(["default"], limit=1, lease=10, wait=0)

        assert decode(delivery.body).eta == clock.now() + 2700


class TestLoading:
    def test_module_s_attribute_named_app(self, project: Path):
        write(
            project,
            "shop_a.py",
            "import cloudq\nother = cloudq.App('other')\napp = cloudq.App('shop')\n",
        )

        assert load("shop_a").name == "shop"

    def test_only_app_of_a_module_whatever_its_name(self, project: Path):
        write(project, "shop_b.py", "import cloudq\nqueue_app = again = cloudq.App('shop')\n")

        assert load("shop_b").name == "shop"

    def test_attribute_that_is_named(self, project: Path):
        write(project, "shop_c.py", "import cloudq\na = cloudq.App('a')\nb = cloudq.App('b')\nx = 3\n")

        assert load("shop_c:b").name == "b"
        with pytest.raises(ConfigurationError, match=r"shop_c:x: 'x' is 3, not a cloudq\.App"):
            load("shop_c:x")
        with pytest.raises(ConfigurationError, match="shop_c has no attribute 'y'"):
            load("shop_c:y")

    def test_several_apps_and_none_named_is_an_error(self, project: Path):
        write(project, "shop_d.py", "import cloudq\na = cloudq.App('a')\nb = cloudq.App('b')\n")

        with pytest.raises(ConfigurationError, match="shop_d has 2 apps: say which"):
            load("shop_d")

    def test_no_app_and_no_task_is_an_error(self, project: Path):
        write(project, "shop_e.py", "x = 1\n")

        with pytest.raises(ConfigurationError, match=r"shop_e has no cloudq\.App and no task"):
            load("shop_e")

    def test_module_of_plain_tasks_is_the_default_app_s(self, project: Path):
        write(project, "shop_f.py", "import cloudq\n\n@cloudq.task\ndef add(x: int) -> int:\n    return x\n")

        loaded = load("shop_f")

        assert loaded is default_app()
        assert list(loaded.tasks) == ["shop_f.add"]

    def test_module_in_a_package(self, project: Path):
        write(project, "shop_g/__init__.py", "")
        write(project, "shop_g/tasks.py", "import cloudq\napp = cloudq.App('deep')\n")

        assert load("shop_g.tasks").name == "deep"
        assert load("shop_g.tasks:app").name == "deep"

    def test_what_the_module_raises_passes_through(self, project: Path):
        write(project, "shop_h.py", "1 / 0\n")

        with pytest.raises(ZeroDivisionError):
            load("shop_h")
        with pytest.raises(ModuleNotFoundError, match="shop_nowhere"):
            load("shop_nowhere")


class TestDefaultApp:
    def test_it_is_one_and_configured_by_the_environment(
        self, no_default_app: None, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("CLOUDQ_BROKER_URL", "memory://")

        @cloudq.task
        def add(x: int) -> int:
            return x

        assert default_app() is default_app()
        assert default_app().tasks == {add.name: add}
        assert isinstance(default_app().broker, MemoryBroker)

    @pytest.mark.parametrize(
        ("arguments", "name"),
        [(["shop_script.py"], "shop_script.add"), (["-m", "shop_pack.jobs"], "shop_pack.jobs.add")],
    )
    def test_task_of_a_script_is_named_as_a_worker_will_import_it(
        self, project: Path, arguments: list[str], name: str
    ):
        code = """
            import cloudq

            @cloudq.task
            def add(x: int) -> int:
                return x

            if __name__ == "__main__":
                print(add.name)
        """
        write(project, "shop_script.py", code)
        write(project, "shop_pack/__init__.py", "")
        write(project, "shop_pack/jobs.py", code)

        done = subprocess.run(
            [sys.executable, *arguments], cwd=project, capture_output=True, text=True, check=True
        )

        assert done.stdout.strip() == name

    def test_module_that_runs_as_a_script_and_is_imported_too_is_one_task(self, project: Path):
        write(
            project,
            "shop_twice.py",
            """
            import cloudq

            @cloudq.task
            def add(x: int) -> int:
                return x

            if __name__ == "__main__":
                import shop_twice
                from cloudq.app import default_app
                print(list(default_app().tasks))
            """,
        )

        done = subprocess.run(
            [sys.executable, "shop_twice.py"], cwd=project, capture_output=True, text=True, check=True
        )

        assert done.stdout.strip() == "['shop_twice.add']"
