"""What a user's editor knows of tasks. Checked by basedpyright, never run."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import assert_type

import cloudq
from cloudq.results import AsyncResult, GroupResult
from cloudq.tasks import BoundTask, Task

app = cloudq.App("shop", broker="memory://")


@app.task
def add(x: int, y: int = 0) -> int:
    return x + y


@app.task(queue="emails", retries=5, backoff=cloudq.exponential(base=1), retry_on=(OSError,), time_limit=30)
def send_email(to: str, *, subject: str = "") -> None:
    return None


@app.task(bind=True, backoff=timedelta(seconds=1), retry_on=OSError)
def report(self: BoundTask, day: datetime) -> dict[str, int]:
    assert_type(self.request.retries, int)
    assert_type(self.request.time_remaining(), float | None)
    self.progress(1, 2, "drawing")
    if day.year < 2000:
        raise self.retry(countdown=60)
    return {}


@cloudq.task
def plain(x: str) -> list[str]:
    return [x]


@cloudq.task(bind=True)
def plain_bound(self: BoundTask, x: str) -> float:
    return 1.0


def parameters_are_kept() -> None:
    assert_type(add(1, y=2), int)
    assert_type(add.delay(1), AsyncResult[int])
    assert_type(add.delay(1, y=2).get(timeout=5), int)
    assert_type(send_email.delay("a", subject="b").get(), None)
    assert_type(plain.delay("a").get(), list[str])

    add.delay("1")  # pyright: ignore[reportArgumentType]
    add.delay()  # pyright: ignore[reportCallIssue]
    add.delay(1, z=2)  # pyright: ignore[reportCallIssue]
    send_email.delay("a", "b")  # pyright: ignore[reportCallIssue]
    plain.delay(1)  # pyright: ignore[reportArgumentType]


def bound_task_hides_its_first_parameter() -> None:
    assert_type(report.delay(datetime.now(UTC)), AsyncResult[dict[str, int]])
    assert_type(report(datetime.now(UTC)), dict[str, int])
    assert_type(plain_bound.delay("a").get(), float)

    report.delay()  # pyright: ignore[reportCallIssue]
    plain_bound.delay(1)  # pyright: ignore[reportArgumentType]


def results_keep_their_type() -> None:
    assert_type(add.apply_async((1,), countdown=60), AsyncResult[int])
    assert_type(add.apply_async(kwargs={"x": 1}, eta=datetime.now(UTC), retries=0).get(), int)
    assert_type(add.delay_many([(1,), {"x": 2}]), GroupResult[int])
    assert_type(add.delay_many([(1,)]).get(), list[int])
    assert_type(add.delay_many([(1,)])[0], AsyncResult[int])
    assert_type(add.result("some-id").get(), int)

    add.apply_async((1,), wait=60)  # pyright: ignore[reportCallIssue]
    add.delay_many([1])  # pyright: ignore[reportArgumentType]


def task_is_a_task() -> None:
    assert_type(add.name, str)
    by_hand: Callable[[int], int] = add
    as_task: Task[[str], list[str]] = plain
    assert_type(by_hand(1), int)
    assert_type(as_task.delay("a").get(), list[str])


def options_are_checked() -> None:
    app.task(retrys=3)  # pyright: ignore[reportCallIssue]
    app.task(retries="3")  # pyright: ignore[reportArgumentType]


def coroutine_functions_are_tasks() -> None:
    @app.task
    async def fetch(url: str) -> bytes:
        return b""

    @app.task(queue="pages")
    async def fetch_page(url: str) -> str:
        return ""

    @app.task(bind=True)
    async def fetch_bound(self: BoundTask, url: str) -> int:
        return self.request.retries

    assert_type(fetch.delay("https://example.com").get(), bytes)
    assert_type(fetch_page.delay("https://example.com").get(), str)
    assert_type(fetch_bound.delay("https://example.com"), AsyncResult[int])
    fetch.delay(1)  # pyright: ignore[reportArgumentType]


async def twins_are_typed_as_what_they_are_twins_of() -> None:
    @cloudq.task
    async def fetch(url: str) -> bytes:
        return b""

    assert_type(await fetch("https://example.com"), bytes)
    assert_type(await add.adelay(1, y=2), AsyncResult[int])
    assert_type(await (await add.adelay(1)).aget(timeout=5), int)
    assert_type(await (await fetch.adelay("a")).aget(), bytes)
    assert_type(await add.aapply_async((1,), countdown=60, priority=1), AsyncResult[int])
    assert_type(await (await add.adelay_many([(1,)])).aget(), list[int])

    await add.adelay("1")  # pyright: ignore[reportArgumentType]
    await add.aapply_async((1,), wait=60)  # pyright: ignore[reportCallIssue]
