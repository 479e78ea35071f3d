"""Routes: where they may be set, which fits, what they lead to, and what a slip says."""

from __future__ import annotations

import re

import pytest

import cloudq
from cloudq.errors import ConfigurationError
from cloudq.queues import Queue

NAMES = ("shop.mail.send", "shop.mail.welcome", "video.cut", "xvideo.cut", "other")


def made(environ=None, **settings):
    app = cloudq.App(
        "shop", broker="memory://", environ=environ or {}, queues=[Queue("urgent", priorities=3)], **settings
    )
    for name in NAMES:
        app.task(name=name)(_nothing())
    return app


def _nothing():
    def nothing() -> None: ...

    return nothing


def led(app):
    return {name: app.queue_of(app.tasks[name]) for name in NAMES}


PAIRS = [
    ("shop.mail.welcome", {"queue": "urgent", "priority": 2}),
    ("shop.*", {"queue": "mail"}),
    (re.compile(r"(video|image)\..*"), {"queue": "media"}),
    ("*.cut", {"queue": "cuts"}),
]


@pytest.mark.parametrize("routes", [PAIRS, tuple(PAIRS), dict(PAIRS)], ids=["list", "tuple", "dict"])
def test_the_first_that_fits_wins_name_glob_or_regular_expression(routes):
    assert led(made(task_routes=routes)) == {
        "shop.mail.send": "mail",
        "shop.mail.welcome": "urgent",
        "video.cut": "media",
        "xvideo.cut": "cuts",
        "other": "default",
    }


def test_a_route_s_priority_is_taken_by_calls_that_name_none():
    app = made(task_routes=PAIRS)

    app.tasks["shop.mail.welcome"].delay()
    app.tasks["shop.mail.welcome"].apply_async(priority=1)

    assert {level: stats.ready for level, stats in app.level_stats("urgent").items()} == {2: 1, 1: 1, 0: 0}
    app.close()


def test_a_priority_alone_leaves_the_queue_as_it_is():
    app = made(task_routes=[("other", {"priority": 1})], task_default_queue="urgent")

    app.tasks["other"].delay()

    assert app.level_stats("urgent")[1].ready == 1
    app.close()


def test_they_are_set_by_code_later_too():
    app = made()
    assert led(app)["shop.mail.send"] == "default"

    app.conf.task_routes = {"shop.*": {"queue": "mail"}}

    assert led(app)["shop.mail.send"] == "mail"


@pytest.mark.parametrize(
    "text",
    [
        '[["shop.*", {"queue": "mail"}], ["*", {"queue": "rest"}]]',
        '{"shop.*": {"queue": "mail"}, "*": {"queue": "rest"}}',
    ],
)
def test_the_environment_has_them_as_json(text):
    found = led(made({"CLOUDQ_TASK_ROUTES": text}))

    assert (found["shop.mail.send"], found["other"]) == ("mail", "rest")


def test_pyproject_has_them_as_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.cloudq.task_routes]\n"shop.*" = { queue = "mail" }\n"*" = { queue = "urgent", priority = 1 }\n'
    )

    app = made()

    assert led(app)["shop.mail.send"] == "mail"
    app.tasks["other"].delay()
    assert app.level_stats("urgent")[1].ready == 1
    app.close()


def test_one_function_routes_all_and_may_pass():
    def route(task):
        return {"queue": "mail", "priority": 0} if task.startswith("shop.") else None

    found = led(made(task_routes=route))

    assert (found["shop.mail.send"], found["other"]) == ("mail", "default")


@pytest.mark.parametrize(
    "answer", ["mail", {"qeue": "mail"}, {}, {"queue": 1}, {"queue": "m", "priority": -1}]
)
def test_a_function_s_answer_that_is_no_route_is_an_error_that_says_what_is(answer):
    app = made(task_routes=lambda _: answer)

    with pytest.raises(ConfigurationError, match=r"'other'.*\"queue\": \"media\""):
        app.queue_of(app.tasks["other"])


@pytest.mark.parametrize(
    "text", ['[["shop.*", {"qeue": "mail"}]]', '{"shop.*": "mail"}', '[["shop.*"]]', "shop.*=mail"]
)
def test_a_slip_in_the_environment_is_an_error_that_names_the_setting(text):
    with pytest.raises(ConfigurationError, match=r"task_routes \(environment\)"):
        led(made({"CLOUDQ_TASK_ROUTES": text}))


def test_a_slip_in_pyproject_is_an_error_that_names_the_setting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.cloudq.task_routes]\n"shop.*" = { qeue = "mail" }\n')

    with pytest.raises(ConfigurationError, match=r"task_routes \(file\)"):
        led(made())


def test_a_task_s_own_queue_stands_above_routes_and_a_call_s_above_both():
    app = made(task_routes=[("*", {"queue": "rest"})])

    @app.task(name="own", queue="own")
    def own() -> None: ...

    own.delay()
    own.apply_async(queue="third")

    assert [app.stats(name).ready for name in ("own", "third")] == [1, 1]
    app.close()


def test_all_queues_that_routes_lead_to_are_the_apps():
    assert set(made(task_routes=PAIRS).queues) == {"urgent", "mail", "media", "cuts", "default"}
