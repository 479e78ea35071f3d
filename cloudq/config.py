"""Settings: what they are, where a value may come from, which one wins. The only reader of the environment.

Strongest first: the command line, the environment (`CLOUDQ_` and the setting's name in capitals), the code
(`App(...)`, `app.conf`), a file (`--config MODULE`, or `[tool.cloudq]` in pyproject.toml), the defaults.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import json
import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast, get_args

from cloudq.errors import ConfigurationError

__all__ = ["Conf", "Settings", "Source", "environment", "is_route_options", "module_settings", "project_root"]

PREFIX = "CLOUDQ_"
CLOCK = "CLOUDQ_CLOCK"
"""Set by the emulator for its commands and tests: the file of its clock, which apps there follow."""
Pool = Literal["prefork", "thread", "asyncio", "gevent", "solo"]
Source = Literal["command line", "environment", "code", "file", "default"]

_MANAGED = ("AWS_LAMBDA_FUNCTION_NAME", "ECS_CONTAINER_METADATA_URI_V4", "KUBERNETES_SERVICE_HOST")
"""Set by Lambda, ECS and Kubernetes in every container: places whose disk doesn't outlive the process."""

_SQLITE = "sqlite:///"
_DEFAULT_DATABASE = Path(".cloudq") / "queue.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting. Names are Celery's where the meaning is the same."""

    broker_url: str = ""
    """Where messages wait: `sqs://`, `redis://host`, `amqp://host`, `sqlite:///path`, `memory://`. Default: a
    SQLite file in the project."""
    result_backend: str = ""
    """Where results live: `redis://host`, `sqlite:///path`, `memory://`; `disabled` for nowhere. Default:
    with the default broker, beside it; else nowhere."""
    result_expires: float = 86_400.0
    """Seconds for which a result is kept."""
    task_default_queue: str = "default"
    """The queue of tasks that neither name one nor are routed to one."""
    task_routes: Sequence[Any] = ()
    """Which tasks go to which queue, at which priority: pairs of a name, a glob or a regular expression, and
    options, the first that fits counting; a dict of the same; or a function of the name."""
    task_time_limit: float | None = None
    """Seconds after which a run is killed, where the task names none."""
    task_soft_time_limit: float | None = None
    """Seconds after which `SoftTimeLimitError` is raised in a run, where the task names none."""
    task_lease: float = 60.0
    """Seconds that a received message is hidden from others; workers keep it alive."""
    claim_checks: str = ""
    """Where bodies go that are larger than the broker takes: `s3://bucket/prefix`, or `backend` for the
    result backend. Default: nowhere, and such a call is refused."""
    create_queues: bool | None = None
    """Whether to make missing queues on SQS. Default: only on a loopback endpoint."""
    worker_pool: Pool = "prefork"
    """How a worker runs tasks: in processes; in a process's threads, coroutines or greenlets; in its own
    process."""
    worker_concurrency: int | None = None
    """How many tasks a worker runs at once. Default: one a core; 100 coroutines or greenlets."""
    worker_max_tasks_per_child: int | None = None
    """Messages after which a worker's child is replaced by a new one. Default: never."""
    worker_max_memory_per_child: int | None = None
    """KiB that a child may have had in memory before it is replaced. Default: any."""
    worker_grace: float = 30.0
    """Seconds that running tasks are given when the worker stops."""

    @property
    def has_results(self) -> bool:
        """Whether results are kept."""
        return self.result_backend not in ("", "disabled")


class Conf:
    """An app's settings, as they come together. Read them as attributes; to set one is the code's word.

    Args:
        code: What the app was made with.
        environ: What stands for the environment; None reads the process's, once.
        file: What the configuration file says; None looks for `[tool.cloudq]` in pyproject.toml.

    Raises:
        ConfigurationError: A name isn't a setting, or a value isn't of its type; the text names the nearest
            setting, or the type.
    """

    def __init__(
        self,
        code: Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        file: Mapping[str, Any] | None = None,
    ) -> None:
        self._layers: dict[Source, dict[str, Any]] = {
            "command line": {},
            "code": _checked(code or {}, "code"),
            "default": {},
        }
        self._environ = environ
        self._file = file
        self._settings: Settings | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in _FIELDS:
            raise _unknown(name, "code")
        return getattr(self.settings, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self.update("code", {name: value})

    def update(self, source: Source, values: Mapping[str, Any]) -> None:
        """Set several settings at once, as one source's word."""
        self._layers.setdefault(source, {}).update(_checked(values, source))
        self._settings = None

    @contextmanager
    def overridden(self, values: Mapping[str, Any]) -> Generator[None]:
        """Let settings stand above all others for the length of a block."""
        before = dict(self._layers["command line"])
        self.update("command line", values)
        try:
            yield
        finally:
            self._layers["command line"] = before
            self._settings = None

    def use_file(self, values: Mapping[str, Any]) -> None:
        """Take a configuration file's settings in place of pyproject.toml's."""
        self._file = values
        self._layers.pop("file", None)
        self._settings = None

    @property
    def environ(self) -> Mapping[str, str]:
        """What stands for the environment."""
        return os.environ if self._environ is None else self._environ

    @property
    def settings(self) -> Settings:
        """All settings, each from its strongest source."""
        if self._settings is None:
            self._read_outside()
            values: dict[str, Any] = {}
            for source in reversed(_ORDER[:-1]):
                values.update(self._layers[source])
            self._layers["default"] = _default_broker(values, self.environ)
            self._settings = Settings(**_anchored({**values, **self._layers["default"]}))
        return self._settings

    def source(self, name: str) -> Source:
        """Where a setting's value came from."""
        self.settings  # noqa: B018 - reads what is outside
        for source in _ORDER:
            if name in self._layers[source]:
                return source
        return "default"

    def overrides(self) -> dict[str, Any]:
        """What the command line says, for a child process to say again."""
        return dict(self._layers["command line"])

    def _read_outside(self) -> None:
        if "environment" not in self._layers:
            self._layers["environment"] = _from_environment(self.environ)
        if "file" not in self._layers:
            file = _pyproject() if self._file is None else self._file
            self._layers["file"] = _checked(file, "file")


_ORDER: tuple[Source, ...] = ("command line", "environment", "code", "file", "default")
_FIELDS = {field.name: field for field in dataclasses.fields(Settings)}


def environment(name: str) -> str | None:
    """A variable of the process's environment that is no setting: `CLOUDQ_APP`, AWS's own."""
    return os.environ.get(name)


def module_settings(name: str) -> dict[str, Any]:
    """What a module of settings says: its public names in small letters.

    Raises:
        ConfigurationError: There is no such module.
    """
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"Configuration module {name!r} can't be imported: {error}.") from error
    return {
        key: value
        for key, value in vars(module).items()
        if key.islower() and not key.startswith("_") and not isinstance(value, ModuleType)
    }


def project_root(start: Path | None = None) -> Path:
    """The nearest folder upwards that has a pyproject.toml; where there is none, the working directory."""
    here = start or Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "pyproject.toml").is_file()), here)


def _default_broker(values: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """A file in the project for what names no broker, and its results beside its messages."""
    if values.get("broker_url"):
        return {}
    if managed := next((name for name in _MANAGED if name in environ), None):
        raise ConfigurationError(
            f"No broker is configured, and {managed} says that this disk won't last: set CLOUDQ_BROKER_URL "
            "(sqs://) or App(broker=...)."
        )
    from urllib.parse import quote

    url = f"sqlite:///{quote(str(project_root() / _DEFAULT_DATABASE))}"
    return {"broker_url": url} if values.get("result_backend") else {"broker_url": url, "result_backend": url}


def _anchored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Relative SQLite paths from the project's root: one file from every folder, and after a chdir."""
    from urllib.parse import quote

    anchored = dict(values)
    for name in ("broker_url", "result_backend"):
        url = str(values.get(name, ""))
        if url.startswith(_SQLITE) and url.removeprefix(_SQLITE)[:1] not in ("", "/", ":", "?"):
            anchored[name] = f"{_SQLITE}{quote(str(project_root()))}/{url.removeprefix(_SQLITE)}"
    return anchored


def _checked(values: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """What a source says; None and empty text say nothing."""
    return {name: _check(name, value, source) for name, value in values.items() if value not in (None, "")}


def _check(name: str, value: Any, source: Source) -> Any:
    if name not in _FIELDS:
        raise _unknown(name, source)
    accepts, words = _KINDS[str(_FIELDS[name].type)]
    if not accepts(value):
        raise ConfigurationError(f"Setting {name} ({source}): {words} is expected, not {value!r}.")
    return value


def _unknown(name: str, source: Source) -> ConfigurationError:
    shown = PREFIX + name.upper() if source == "environment" else name
    near = difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.5)
    meant = PREFIX + near[0].upper() if near and source == "environment" else "".join(near)
    hint = f" Did you mean {meant}?" if near else f" There are: {', '.join(sorted(_FIELDS))}."
    return ConfigurationError(f"{shown} ({source}) is no setting of cloudq.{hint}")


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        name = variable.removeprefix(PREFIX).lower()
        # A variable that is set to nothing is a shell's way of unsetting it.
        if variable.startswith(PREFIX) and text and not _is_other(variable):
            if name not in _FIELDS:
                raise _unknown(name, "environment")
            values[name] = _check(name, _parse(str(_FIELDS[name].type), text), "environment")
    return values


def _is_other(variable: str) -> bool:
    return variable in ("CLOUDQ_APP", CLOCK, "CLOUDQ_REQUIRE_SERVICES") or variable.startswith("CLOUDQ_TEST_")


def _parse(kind: str, text: str) -> Any:
    if kind.startswith(("float", "int")):
        return next((number for read in (int, float) if (number := _number(read, text)) is not None), text)
    if kind.startswith("bool"):
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
            text.lower(), text
        )
    if kind.startswith("Sequence"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _number(read: Callable[[str], float], text: str) -> float | None:
    try:
        return read(text)
    except ValueError:
        return None


def _pyproject() -> Mapping[str, Any]:
    path = project_root() / "pyproject.toml"
    if not path.is_file():
        return {}
    import tomllib

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} can't be read: {error}.") from error
    return cast("dict[str, Any]", table.get("tool", {}).get("cloudq", {}))


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_route_options(value: object) -> bool:
    """Whether these are options that a route leads to: a queue, a priority, or both."""
    if not isinstance(value, Mapping) or not value:
        return False
    options = cast("Mapping[Any, Any]", value)
    return options.keys() <= _ROUTE_OPTIONS.keys() and all(
        _ROUTE_OPTIONS[name](option) for name, option in options.items()
    )


_ROUTE_OPTIONS: Mapping[Any, Callable[[Any], bool]] = {
    "queue": lambda value: isinstance(value, str) and bool(value),
    "priority": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
}


def _is_routes(value: Any) -> bool:
    if callable(value):
        return True
    if isinstance(value, Mapping):
        return all(map(_is_route, cast("Mapping[Any, Any]", value).items()))
    return isinstance(value, (list, tuple)) and all(map(_is_route, cast("Any", value)))


def _is_route(value: Any) -> bool:
    match value:
        case (str() | re.Pattern(), options):
            return is_route_options(options)
        case _:
            return False


_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "text"),
    "float": (_is_seconds, "a number of seconds above 0"),
    "float | None": (_is_seconds, "a number of seconds above 0"),
    "int | None": (_is_count, "a whole number from 1"),
    "bool | None": (lambda value: isinstance(value, bool), "true or false"),
    "Sequence[Any]": (
        _is_routes,
        'a list of pairs (pattern, {"queue": name, "priority": number}), such a dict, or a function',
    ),
    "Pool": (lambda value: value in get_args(Pool), f"one of {', '.join(get_args(Pool))}"),
}
