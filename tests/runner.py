"""Running one message, for tests of what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cloudq
from cloudq.codec import encode
from cloudq.delivery import Execution
from cloudq.execution import Context, execute
from cloudq.message import Message
from cloudq.results import Record

HERE = Context(queue="default")


SQS = HERE._replace(has_count=False)
"""How a broker delivers that can't rewrite a message when it gives it back."""


@dataclass(frozen=True)
class Runner:
    """Registers a function as the task `do` and runs messages for it."""

    app: cloudq.App

    def task(self, function: Callable[..., Any], **options: Any) -> None:
        self.app.task(name="do", **options)(function)

    def run(self, *args: Any, context: Context = HERE, **fields: Any) -> Execution:
        return execute(self.app, body(*args, **fields), context)


def body(*args: Any, **fields: Any) -> bytes:
    return encode(Message(**{"id": "m1", "task": "do", "args": args, **fields}))


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def save(app: cloudq.App, record: Record) -> None:
    assert app.results is not None
    app.results.save({"m1": record})
