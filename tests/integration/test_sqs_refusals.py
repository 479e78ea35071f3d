"""A real worker whom AWS refuses something: a clear line, no tight loop, and on it goes when that is over."""

from __future__ import annotations

import pytest
import worker_app

from tests.integration.brokers import is_empty
from tests.integration.worker_process import lines
from tests.refusing_proxy import refusing_proxy
from tests.waiting import wait_until


@pytest.fixture
def environment(emulator):
    return {
        **emulator.environment,
        "CLOUDQ_BROKER_URL": "sqs://",
        "CLOUDQ_RESULT_BACKEND": "disabled",
        "CLOUDQ_TASK_LEASE": "3",
    }


@pytest.fixture
def proxy(emulator):
    with refusing_proxy(emulator.endpoint) as proxy:
        yield proxy


@pytest.fixture
def worker(app, proxy, start):
    """What is refused; the test itself sends past the proxy."""
    app.declare("default")
    return start("-c", "1", AWS_ENDPOINT_URL=proxy.endpoint)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredToken", "credentials have expired"),
        ("AccessDenied", "denied sqs:ReceiveMessage"),
        ("RequestThrottled", "throttling"),
    ],
)
def test_a_worker_that_may_not_receive_says_so_waits_and_goes_on(app, worker, proxy, path, code, words):
    worker_app.mark.delay(str(path), 1)
    wait_until(lambda: lines(path) == ["1"], "the first run")

    proxy.refusing = {"*": code}
    worker_app.mark.delay(str(path), 2)
    told = wait_until(lambda: len(told := worker.events("receive_failed")) >= 2 and told, "two failures")

    assert words in told[0]["message"]
    # Two receives, each tried three times at most; credentials are renewed once for each.
    assert proxy.refused.count("ReceiveMessage") <= 8
    assert worker.is_running
    proxy.refusing = {}
    wait_until(lambda: is_empty(app), "the empty queue")
    assert "2" in lines(path)


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredToken"])
def test_a_worker_that_may_not_delete_tells_and_deletes_when_it_may(app, worker, proxy, path, code):
    proxy.refusing = {"DeleteMessageBatch": code}

    worker_app.mark.delay(str(path), 1)
    wait_until(lambda: worker.events("not_settled"), "the line that tells")

    assert worker.is_running
    assert not is_empty(app)
    proxy.refusing = {}
    wait_until(lambda: is_empty(app), "the empty queue")


def test_a_worker_that_may_not_dead_letter_keeps_the_message(app, worker, proxy):
    proxy.refusing = {"SendMessageBatch": "AccessDenied"}

    worker_app.fail.delay()
    told = wait_until(lambda: worker.events("dead_letter_refused"), "the line that tells")

    assert "denied sqs:SendMessage on queue 'default-dead'" in told[0]["message"]
    stats = app.stats("default")
    assert (stats.ready + stats.leased, stats.dead) == (1, 0)
