"""A task queue for Python on SQS and Lambda, or on nothing but a file.

    import cloudq

    @cloudq.task
    def add(x: int, y: int) -> int:
        return x + y

    add.delay(1, 2).get(timeout=5)

Everything here is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudq import lambda_handler
    from cloudq.app import App
    from cloudq.errors import (
        ArgumentError,
        BackendError,
        BrokerError,
        CloudqError,
        ConfigurationError,
        Ignore,
        Reject,
        ResultError,
        ResultTimeoutError,
        Retry,
        SoftTimeLimitError,
        TaskError,
        TaskFailedError,
    )
    from cloudq.queues import Queue
    from cloudq.results import AsyncResult, GroupResult
    from cloudq.retry import exponential

    _app = App("")
    task = _app.task

__version__ = "0.1.0"

__all__ = [
    "App",
    "ArgumentError",
    "AsyncResult",
    "BackendError",
    "BrokerError",
    "CloudqError",
    "ConfigurationError",
    "GroupResult",
    "Ignore",
    "Queue",
    "Reject",
    "ResultError",
    "ResultTimeoutError",
    "Retry",
    "SoftTimeLimitError",
    "TaskError",
    "TaskFailedError",
    "exponential",
    "lambda_handler",
    "task",
]

_HOME = {
    "App": "app",
    "AsyncResult": "results",
    "GroupResult": "results",
    "Queue": "queues",
    "exponential": "retry",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cloudq' has no attribute {name!r}")
    if name == "task":
        return importlib.import_module("cloudq.app").default_app().task
    if name == "lambda_handler":
        return importlib.import_module("cloudq.lambda_handler")
    value = getattr(importlib.import_module(f"cloudq.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
