"""Settings: which source wins, and what is refused with which words."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import cloudq
from cloudq.config import PREFIX, Conf, Settings, environment, module_settings, project_root
from cloudq.errors import ConfigurationError

SETTINGS = [field.name for field in dataclasses.fields(Settings)]


def conf(**code: object) -> Conf:
    return Conf({"broker_url": "memory://", **code}, environ={}, file={})


def test_settings_are_read_as_attributes_with_their_defaults():
    made = conf()

    assert made.task_lease == 60.0
    assert made.task_default_queue == "default"
    assert made.worker_pool == "prefork"
    assert made.source("task_lease") == "default"


@pytest.mark.parametrize(
    ("strongest", "value"),
    [("command line", 5), ("environment", 4), ("code", 3), ("file", 2), ("default", 60)],
)
def test_strongest_source_wins(strongest: str, value: float):
    weaker = ["file", "code", "environment", "command line"]
    said = weaker[: weaker.index(strongest) + 1] if strongest != "default" else []
    made = Conf(
        {"broker_url": "memory://", **({"task_lease": 3} if "code" in said else {})},
        environ={"CLOUDQ_TASK_LEASE": "4"} if "environment" in said else {},
        file={"task_lease": 2} if "file" in said else {},
    )
    if "command line" in said:
        made.update("command line", {"task_lease": 5})

    assert (made.source("task_lease"), made.task_lease) == (strongest, value)


def test_setting_that_is_set_later_is_the_code_s_word():
    made = conf()

    made.task_lease = 12

    assert made.task_lease == 12
    assert made.source("task_lease") == "code"


def test_none_and_empty_text_say_nothing():
    made = Conf({"broker_url": None, "result_backend": ""}, environ={}, file={"broker_url": "memory://"})

    assert made.broker_url == "memory://"
    assert made.source("broker_url") == "file"


def test_variable_that_is_set_to_nothing_says_nothing():
    made = Conf({"broker_url": "sqs://"}, environ={"CLOUDQ_BROKER_URL": "", "CLOUDQ_TASK_LEASE": ""}, file={})

    assert made.broker_url == "sqs://"
    assert made.task_lease == 60.0


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("CLOUDQ_BROKER_URL", "sqs://", "sqs://"),
        ("CLOUDQ_TASK_LEASE", "90", 90),
        ("CLOUDQ_TASK_LEASE", "1.5", 1.5),
        ("CLOUDQ_TASK_TIME_LIMIT", "30", 30),
        ("CLOUDQ_WORKER_CONCURRENCY", "4", 4),
        ("CLOUDQ_WORKER_POOL", "thread", "thread"),
        ("CLOUDQ_CREATE_QUEUES", "true", True),
        ("CLOUDQ_CREATE_QUEUES", "NO", False),
        ("CLOUDQ_CREATE_QUEUES", "0", False),
        ("CLOUDQ_TASK_ROUTES", '[["feed.*", {"queue": "feeds"}]]', [["feed.*", {"queue": "feeds"}]]),
    ],
)
def test_variable_sets_its_setting(variable: str, text: str, value: object):
    made = Conf({"broker_url": "memory://"}, environ={variable: text}, file={})
    name = variable.removeprefix(PREFIX).lower()

    assert getattr(made, name) == value
    assert made.source(name) == "environment"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CLOUDQ_TASK_LEASE", "soon"),
        ("CLOUDQ_TASK_LEASE", "-1"),
        ("CLOUDQ_TASK_LEASE", "nan"),
        ("CLOUDQ_WORKER_CONCURRENCY", "1.5"),
        ("CLOUDQ_WORKER_CONCURRENCY", "0"),
        ("CLOUDQ_WORKER_POOL", "eventlet"),
        ("CLOUDQ_CREATE_QUEUES", "perhaps"),
        ("CLOUDQ_TASK_ROUTES", "feeds"),
        ("CLOUDQ_TASK_ROUTES", "5"),
        ("CLOUDQ_TASK_ROUTES", '["ab"]'),
    ],
)
def test_variable_of_the_wrong_kind_is_refused_by_name(variable: str, text: str):
    name = variable.removeprefix(PREFIX).lower()

    with pytest.raises(ConfigurationError, match=rf"{name} \(environment\): .* is expected, not"):
        _ = Conf({}, environ={variable: text}, file={}).settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broker_url", 1),
        ("task_lease", "60"),
        ("task_lease", True),
        ("task_lease", 0),
        ("result_expires", -1),
        ("worker_concurrency", 2.0),
        ("worker_pool", "eventlet"),
        ("create_queues", "yes"),
        ("task_routes", {"feed.*": {"qeue": "feeds"}}),
        ("task_routes", {"feed.*": "feeds"}),
        ("task_routes", [("feed.*", {})]),
        ("task_routes", "feed.*"),
        ("task_routes", [("feed.*",)]),
        ("task_routes", [("feed.*", {"qeue": "feeds"})]),
        ("task_routes", [("feed.*", {"queue": "feeds", "priority": -1})]),
        ("task_routes", [("feed.*", {"queue": "feeds", "priority": "high"})]),
    ],
)
def test_value_of_the_wrong_kind_is_refused_where_it_is_set(name: str, value: object):
    with pytest.raises(ConfigurationError, match=rf"{name} \(code\): .* is expected, not"):
        conf(**{name: value})


@pytest.mark.parametrize(
    "routes",
    [[("a.*", {"queue": "b"})], ((re.compile("a|b"), {"queue": "b"}),), lambda name: {"queue": name}, []],
)
def test_routes_may_be_pairs_or_a_function(routes: object):
    assert conf(task_routes=routes).task_routes == routes


def test_unknown_setting_names_the_nearest():
    with pytest.raises(
        ConfigurationError, match=r"brokerurl \(code\) is no setting.* Did you mean broker_url\?"
    ):
        cloudq.App("shop", brokerurl="memory://")
    with pytest.raises(
        ConfigurationError, match=r"CLOUDQ_TASK_LEASES \(environment\).* Did you mean CLOUDQ_TASK_LEASE\?"
    ):
        _ = Conf({}, environ={"CLOUDQ_TASK_LEASES": "1"}).settings
    with pytest.raises(ConfigurationError, match=r"\(file\).* Did you mean worker_pool\?"):
        _ = Conf({}, environ={}, file={"workerpool": "solo"}).settings
    with pytest.raises(ConfigurationError, match="Did you mean task_lease"):
        _ = conf().task_leas


def test_unknown_setting_that_is_near_none_lists_all():
    with pytest.raises(ConfigurationError) as caught:
        conf(zzzz=1)

    assert all(name in str(caught.value) for name in SETTINGS)


def test_variables_that_are_no_settings_are_left_alone():
    environ = {"CLOUDQ_APP": "shop", "CLOUDQ_REQUIRE_SERVICES": "1", "CLOUDQ_TEST_REDIS": "x", "PATH": "/bin"}

    assert Conf({"broker_url": "memory://"}, environ=environ, file={}).broker_url == "memory://"


def test_process_s_environment_is_read_once_at_first_use(monkeypatch: pytest.MonkeyPatch):
    app = cloudq.App("shop", broker="memory://")
    monkeypatch.setenv("CLOUDQ_TASK_LEASE", "7")
    first = app.conf.task_lease

    monkeypatch.setenv("CLOUDQ_TASK_LEASE", "8")
    app.conf.worker_grace = 1

    assert (first, app.conf.task_lease) == (7, 7)


def test_environment_that_is_given_is_the_only_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDQ_BROKER_URL", "sqs://")
    monkeypatch.setenv("CLOUDQ_NONSENSE", "1")

    assert cloudq.App("shop", broker="memory://", environ={}).conf.broker_url == "memory://"


def test_default_broker_is_a_file_in_the_project_and_holds_the_results_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")

    made = Conf({}, environ={})

    assert made.broker_url == f"sqlite:///{tmp_path}/.cloudq/queue.db"
    assert made.result_backend == made.broker_url
    assert made.source("broker_url") == made.source("result_backend") == "default"


def test_default_broker_s_path_may_have_any_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "50% off? #1"
    folder.mkdir()
    monkeypatch.chdir(folder)
    app = cloudq.App("shop", environ={})

    @app.task
    def add(x: int) -> int:
        return x

    add.delay(1)
    app.close()

    assert (folder / ".cloudq" / "queue.db").is_file()


def test_results_are_not_kept_where_a_broker_is_named_and_no_backend():
    assert conf().settings.has_results is False
    assert conf(result_backend="disabled").settings.has_results is False
    assert conf(result_backend="memory://").settings.has_results is True


def test_default_broker_s_results_can_be_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    assert Conf({"result_backend": "disabled"}, environ={}).settings.has_results is False


def test_default_broker_s_results_go_when_a_broker_is_named_after_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    made = Conf({}, environ={})
    assert made.settings.has_results

    made.update("command line", {"broker_url": "memory://"})

    assert made.settings.has_results is False


@pytest.mark.parametrize(
    "variable", ["AWS_LAMBDA_FUNCTION_NAME", "ECS_CONTAINER_METADATA_URI_V4", "KUBERNETES_SERVICE_HOST"]
)
def test_no_broker_where_the_disk_does_not_last_is_an_error(variable: str):
    with pytest.raises(ConfigurationError, match=rf"{variable}.*CLOUDQ_BROKER_URL"):
        _ = Conf({}, environ={variable: "x"}, file={}).settings

    assert Conf({"broker_url": "sqs://"}, environ={variable: "x"}, file={}).broker_url == "sqs://"


def test_pyproject_of_the_project_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.cloudq]\nbroker_url = "memory://"\ntask_routes = [["feed.*", {queue = "feeds"}]]\n'
    )
    (tmp_path / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "er")

    made = Conf({}, environ={})

    assert made.broker_url == "memory://"
    assert made.source("broker_url") == "file"
    assert made.task_routes == [["feed.*", {"queue": "feeds"}]]


def test_pyproject_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "pyproject.toml").write_text("[tool.cloudq\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match=r"pyproject\.toml can't be read"):
        _ = Conf({}, environ={}).settings


def test_file_that_is_named_replaces_pyproject():
    made = Conf({"broker_url": "memory://"}, environ={}, file={"task_lease": 2})
    assert made.task_lease == 2

    made.use_file({"task_lease": 4})

    assert made.task_lease == 4


def test_module_of_settings_gives_its_names_in_small_letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "cloudq_test_settings.py").write_text("import json\nLIMIT = 3\n_x = 1\ntask_lease = LIMIT\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert module_settings("cloudq_test_settings") == {"task_lease": 3}
    with pytest.raises(ConfigurationError, match="'cloudq_no_such' can't be imported"):
        module_settings("cloudq_no_such")


def test_what_the_command_line_says_can_be_handed_on():
    made = conf()
    made.update("command line", {"task_lease": 5})

    assert made.overrides() == {"task_lease": 5}


def test_project_root_is_the_working_directory_where_there_is_no_pyproject(tmp_path: Path):
    assert project_root(tmp_path) == tmp_path


def test_other_variables_are_read_through_config_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDQ_APP", "shop.tasks")

    assert environment("CLOUDQ_APP") == "shop.tasks"
    assert environment("CLOUDQ_NONE_SUCH") is None


def test_every_setting_says_what_it_is():
    source = Path(cloudq.__file__).with_name("config.py").read_text()
    body = source[source.index("class Settings") : source.index("def has_results")]

    for name in SETTINGS:
        assert re.search(rf'^    {name}: .*\n    """\S', body, re.MULTILINE), name


def test_relative_sqlite_path_is_the_same_file_from_every_folder(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text(
        '[tool.cloudq]\nbroker_url = "sqlite:///my queue.db?synchronous=normal"\n'
    )
    (tmp_path / "below").mkdir()

    monkeypatch.chdir(tmp_path)
    at_the_root = Conf(environ={}).settings.broker_url
    monkeypatch.chdir(tmp_path / "below")
    below = Conf(environ={}).settings.broker_url

    assert at_the_root == below == f"sqlite:///{tmp_path}/my queue.db?synchronous=normal"


def test_absolute_sqlite_path_stays_as_it_is(tmp_path):
    url = f"sqlite:///{tmp_path}/queue.db"

    assert Conf({"result_backend": url, "broker_url": "memory://"}, environ={}).settings.result_backend == url


def test_relative_sqlite_path_leads_to_the_same_file_after_a_change_of_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    conf = Conf({"broker_url": "sqlite:///queue.db"}, environ={})
    before = conf.settings.broker_url
    monkeypatch.chdir("/")

    assert conf.settings.broker_url == before == f"sqlite:///{tmp_path}/queue.db"
