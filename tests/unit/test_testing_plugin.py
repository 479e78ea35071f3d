from __future__ import annotations

import subprocess
import sys

import pytest

import cloudq
from cloudq.testing import InlineWorker, in_memory


def test_what_was_sent_is_run_when_the_worker_drains(cloudq_app, cloudq_worker):
    ran = []

    @cloudq_app.task
    def note(text: str) -> str:
        ran.append(text)
        return text.upper()

    result = note.delay("a")
    before = list(ran)

    assert cloudq_worker.drain() == 1
    assert (before, ran) == ([], ["a"])
    assert result.get(timeout=0) == "A"


def test_arguments_go_over_the_wire(cloudq_app, cloudq_worker):
    seen = []

    @cloudq_app.task
    def take(items: list[int]) -> None:
        seen.append(items)

    sent = [1, 2]
    take.delay(sent)
    sent.append(3)
    cloudq_worker.drain()

    assert seen == [[1, 2]]


def test_retries_of_three_days_take_no_time(cloudq_app, cloudq_worker):
    attempts = []

    @cloudq_app.task(retries=3, backoff=600.0)
    def stubborn() -> None:
        attempts.append(cloudq_app.clock.now())
        raise ConnectionError("still down")

    result = stubborn.delay()
    first = cloudq_worker.drain()
    rest = cloudq_worker.drain(within=3600)

    assert (first, rest) == (1, 3)
    assert [round(at - attempts[0]) for at in attempts] == [0, 600, 1200, 1800]
    with pytest.raises(cloudq.TaskFailedError, match="still down"):
        result.get(timeout=0)


def test_only_the_named_queues_are_drained(cloudq_app, cloudq_worker):
    @cloudq_app.task(queue="one")
    def in_one() -> None: ...

    @cloudq_app.task(queue="two")
    def in_two() -> None: ...

    in_one.delay()
    in_two.delay()

    assert cloudq_worker.drain("one") == 1
    assert cloudq_app.broker.stats("two").ready == 1


def test_a_task_that_sends_another_is_drained_with_it(cloudq_app, cloudq_worker):
    @cloudq_app.task
    def second() -> str:
        return "done"

    @cloudq_app.task
    def first() -> str:
        return second.delay().id

    assert first.delay() is not None
    assert cloudq_worker.drain() == 2


def test_a_lent_app_is_given_back_as_it_was(tmp_path):
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    app = cloudq.App("shop", broker=url, environ={})
    clock = app.clock

    with in_memory(app):
        inside = app.conf.broker_url
        InlineWorker(app).drain()

    assert inside == "memory://"
    assert app.conf.broker_url == url
    assert app.clock is clock


def test_the_plugin_loads_neither_moto_nor_boto3():
    program = (
        "import cloudq.testing.plugin, sys; print(sorted({'moto', 'boto3', 'botocore'} & set(sys.modules)))"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[]"
