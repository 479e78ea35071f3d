"""A real worker process on a real SQLite file: what it runs, what it survives, how it stops."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import worker_app

import cloudq
from cloudq.delivery import Outgoing
from cloudq.queues import Queue
from tests.integration.brokers import is_empty
from tests.integration.worker_process import HERE, Start, lines
from tests.needs import missing
from tests.processes import children_of, is_alive
from tests.waiting import wait_until

DUMMY_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "dummy", "AWS_SECRET_ACCESS_KEY": "dummy"}

SHARED = [["--pool", "thread", "-c4"], ["--pool", "asyncio", "-c4"], ["--pool", "gevent", "-c4"]]
"""Pools that run several tasks in one process."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    url = f"sqlite:///{tmp_path / 'queue.db'}?synchronous=normal"
    return {
        "CLOUDQ_BROKER_URL": url,
        "CLOUDQ_RESULT_BACKEND": url,
        "CLOUDQ_TASK_LEASE": "60",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@pytest.mark.parametrize(
    "pool",
    [*SHARED, ["--pool", "prefork", "-c2"], ["--pool", "solo"]],
    ids=lambda said: said[1],
)
def test_every_pool_runs_retries_and_dead_letters(app: cloudq.App, start: Start, pool: list[str]):
    start(*pool)

    added = worker_app.add.delay(1, 2)
    lucky = worker_app.third_time_lucky.delay()
    failed = worker_app.fail.delay()
    slept = worker_app.slept.delay(0.01)

    assert added.get(timeout=20) == 3
    assert lucky.get(timeout=20) == 2
    assert slept.get(timeout=20) == "slept"
    with pytest.raises(cloudq.TaskFailedError, match="LookupError: nothing there") as caught:
        failed.get(timeout=20)
    assert "in fail" in caught.value.traceback
    assert wait_until(lambda: app.broker.stats("default").dead == 1, "the dead letter")


def test_a_burst_ends_when_the_queue_is_empty(app: cloudq.App, start: Start, path: Path):
    worker_app.mark.delay_many([(str(path), number) for number in range(50)])

    code = start("--burst", "-c", "2").wait()

    assert code == 0
    assert sorted(map(int, lines(path))) == list(range(50))
    assert is_empty(app)


def test_what_else_a_killed_child_held_is_run_once(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "2")
    worker_app.start_then_mark.delay_many([(str(path), number, 0.5) for number in range(4)])
    wait_until(lambda: sum(line.startswith("started") for line in lines(path)) >= 2, "two runs under way")

    os.kill(worker.children()[0], signal.SIGKILL)

    wait_until(lambda: is_empty(app), "the empty queue")
    ended = Counter(line for line in lines(path) if line.startswith("ended"))
    assert ended == {f"ended {number}": 1 for number in range(4)}


def test_a_message_that_keeps_killing_its_process_is_dead_lettered(app: cloudq.App, start: Start, path: Path):
    app.broker.declare(Queue("default"))
    result = worker_app.exit_process.delay(str(path))
    worker = start("-c", "1")

    # The delay between its runs doubles: three show that it goes on, the unit tests that it ends.
    wait_until(lambda: len(worker.events("message_released")) >= 2, "two releases")

    assert "exit code 3" in worker.events("message_released")[0]["message"]
    assert result.state == "PENDING"


def test_a_lease_is_kept_while_its_task_runs(app: cloudq.App, start: Start, path: Path):
    start("-c", "1", CLOUDQ_TASK_LEASE="1")
    start("-c", "1", CLOUDQ_TASK_LEASE="1")

    result = worker_app.mark.delay(str(path), 1, seconds=4.0)

    assert result.get(timeout=20) == 1
    assert lines(path) == ["1"]


def test_a_stop_lets_what_runs_end_and_gives_back_the_rest(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1")
    worker_app.start_then_mark.delay_many([(str(path), number, 1.0) for number in range(3)])
    wait_until(lambda: lines(path), "the first run")

    code = worker.stop()

    assert code == 0
    assert lines(path) == ["started 0", "ended 0"]
    assert app.broker.stats("default").ready == 2
    (delivery,) = app.broker.receive(["default"], limit=1, lease=60, wait=0)
    assert delivery.receive_count == 1, "to be given back is no receive"


@pytest.mark.parametrize("workers", [["-c", "2"], ["-c", "1"]], ids=["another child", "another worker"])
def test_quick_tasks_do_not_wait_behind_a_slow_one(
    app: cloudq.App, start: Start, path: Path, workers: list[str]
):
    for _ in range(3 - int(workers[1])):
        start(*workers, "--grace", "0")
    worker_app.mark.delay_many([(str(path), i) for i in range(400)])  # quick: so many are held ahead
    wait_until(lambda: len(lines(path)) == 400, "the first ones' end")

    worker_app.start_then_mark.delay(str(path), -1, 60.0)
    worker_app.mark.delay_many([(str(path), i) for i in range(400)])

    wait_until(lambda: len(lines(path)) == 801, "the end of all but the slow one")


def test_a_stop_ends_what_runs_past_the_grace_time(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1", "--grace", "0.2")
    worker_app.start_then_mark.delay(str(path), 1, 60.0)
    wait_until(lambda: lines(path), "the first run")

    assert worker.stop() == 0

    assert app.broker.stats("default").ready == 1


def test_a_second_signal_does_not_wait(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1", "--grace", "60")
    worker_app.start_then_mark.delay(str(path), 1, 60.0)
    wait_until(lambda: lines(path), "the first run")

    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: worker.events("worker_stopping"), "the first signal's effect")
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(patience=10) == 0
    assert worker.events("worker_hurried")
    assert app.broker.stats("default").ready == 1


def test_a_second_signal_strands_nothing_of_what_is_held(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "2", "--grace", "60")
    worker_app.mark.delay_many([(str(path), i) for i in range(200)])  # quick: so it holds many ahead
    wait_until(lambda: len(lines(path)) == 200, "the quick ones' end")
    worker_app.mark.delay_many([(str(path), i, 60.0) for i in range(200)])
    wait_until(lambda: app.broker.stats("default").leased > 2, "more held than run")

    worker.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGINT)

    assert worker.wait(patience=10) == 0
    assert worker.events("worker_hurried")
    assert not worker.events("messages_stranded")
    assert app.broker.stats("default").ready == 200


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>&1"])
def test_a_worker_runs_tasks_wherever_its_output_goes(
    app: cloudq.App, environment: dict[str, str], path: Path, streams: str
):
    if "/dev/full" in streams and not Path("/dev/full").exists():
        missing("no /dev/full")
    worker_app.mark.delay(str(path), 1)
    command = f"exec {shlex.quote(sys.executable)} -m cloudq worker -A worker_app -c 1 --burst {streams}"

    ended = subprocess.run(
        ["sh", "-c", command], cwd=HERE, env={**os.environ, **environment}, timeout=60, check=False
    )

    assert lines(path) == ["1"]
    assert ended.returncode in (0, 120)  # 120: what was to be flushed at the end couldn't be written
    assert is_empty(app)


def test_a_terminal_that_closes_is_no_hurry_though_it_says_so_twice(
    app: cloudq.App, start: Start, path: Path
):
    worker = start("-c", "1")
    worker_app.start_then_mark.delay(str(path), 1, 1.0)
    wait_until(lambda: lines(path), "the first run")

    os.killpg(worker.pid, signal.SIGHUP)
    wait_until(lambda: worker.events("worker_stopping"), "the signal's effect")
    os.killpg(worker.pid, signal.SIGHUP)

    assert worker.wait() == 0
    assert lines(path) == ["started 1", "ended 1"]
    assert is_empty(app)


def test_sigquit_ends_what_runs_and_gives_it_back(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1", "--grace", "60")
    worker_app.start_then_mark.delay(str(path), 1, 60.0)
    wait_until(lambda: lines(path), "the first run")

    os.killpg(worker.pid, signal.SIGQUIT)

    assert worker.wait(patience=10) == 0
    assert app.broker.stats("default").ready == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_amid_the_import_leaves_nothing_behind(start: Start, tmp_path: Path, number: int):
    seen = tmp_path / "importing"
    text = f"import pathlib, time\npathlib.Path({str(seen)!r}).touch()\ntime.sleep(60)\n"
    (tmp_path / "slow_import.py").write_text(text, encoding="utf-8")
    worker = start(app="slow_import", PYTHONPATH=str(tmp_path))
    wait_until(seen.exists, "the import")
    (forkserver,) = worker.forkservers()

    worker.send_signal(number)

    assert worker.wait(patience=10) == 1
    assert not is_alive(forkserver)


def test_a_killed_forkserver_is_replaced(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1")
    assert worker_app.add.delay(1, 1).get(timeout=20) == 2
    (forkserver,) = children_of(worker.pid)

    os.kill(forkserver, signal.SIGKILL)

    assert worker_app.add.delay(2, 2).get(timeout=20) == 4


def test_a_forkserver_killed_with_children_that_are_not_ready_counts_as_one_early_death(
    app: cloudq.App, start: Start
):
    worker = start("--pool", "gevent", "-c", "4", "--processes", "4")
    wait_until(lambda: len(worker.children()) == 4, "children that start")
    (forkserver,) = worker.forkservers()

    os.kill(forkserver, signal.SIGKILL)

    assert worker_app.add.delay(1, 1).get(timeout=30) == 2
    assert not worker.events("worker_stopping")


def test_a_task_that_forks_ends_once(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1")

    results = worker_app.fork.delay_many([(str(path),)] * 3)

    assert results.get(timeout=20) == ["parent"] * 3
    assert worker.stop() == 0


@pytest.mark.parametrize("pool", SHARED, ids=lambda said: said[1])
def test_tasks_of_a_shared_process_run_at_once(app: cloudq.App, start: Start, pool: list[str]):
    start(*pool)

    results = worker_app.meet.delay_many([()] * 4)

    assert sorted(results.get(timeout=20)) == [0, 1, 2, 3]


def test_coroutines_run_at_once_in_one_loop(app: cloudq.App, start: Start):
    start("--pool", "asyncio", "-c", "4")

    results = worker_app.meet_async.delay_many([()] * 4)

    assert results.get(timeout=20) == [4] * 4


@pytest.mark.parametrize("pool", SHARED, ids=lambda said: said[1])
def test_each_run_knows_its_own_request(app: cloudq.App, start: Start, pool: list[str]):
    start(*pool)

    plain = worker_app.whoami.delay_many([()] * 8)
    coroutines = worker_app.whoami_async.delay_many([()] * 8)

    assert plain.get(timeout=20) == [one.id for one in plain]
    assert coroutines.get(timeout=20) == [one.id for one in coroutines]


@pytest.mark.parametrize("pool", [*SHARED, ["--pool", "prefork", "-c2"]], ids=lambda said: said[1])
def test_a_run_past_its_soft_limit_can_clean_up(app: cloudq.App, start: Start, path: Path, pool: list[str]):
    start(*pool)

    ended = worker_app.wait_softly.delay(str(path))
    ended_async = worker_app.wait_softly_async.delay(str(path))

    assert ended.get(timeout=20) == "ended by itself"
    assert ended_async.get(timeout=20) == "ended by itself"
    assert lines(path) == ["cleaned up"] * 2


def test_a_soft_limit_that_is_not_caught_is_a_failure_and_its_process_lives(app: cloudq.App, start: Start):
    worker = start("-c", "1")

    with pytest.raises(cloudq.TaskFailedError, match="SoftTimeLimitError") as caught:
        worker_app.sleep_through.delay().get(timeout=20)

    assert "in sleep_through" in caught.value.traceback
    assert not worker.events("child_ended")


@pytest.mark.parametrize("pool", SHARED, ids=lambda said: said[1])
def test_a_hard_limit_in_a_shared_process_is_warned_of_and_kept(
    app: cloudq.App, start: Start, path: Path, pool: list[str]
):
    worker = start(*pool)
    other = worker_app.start_then_mark.delay(str(path.with_name("other")), 1, 0.01)

    result = worker_app.too_long.delay(str(path))

    with pytest.raises(cloudq.TaskFailedError, match=r"ran longer than its time limit of 0\.3 s"):
        result.get(timeout=20)
    assert other.get(timeout=20) is None
    assert worker.events("hard_limit_shared")


@pytest.mark.parametrize("pool", SHARED, ids=lambda said: said[1])
def test_no_child_outlives_its_supervisor(app: cloudq.App, start: Start, path: Path, pool: list[str]):
    worker = start(*pool)
    worker_app.start_then_mark.delay(str(path), 1, 60.0)
    wait_until(lambda: lines(path), "the first run")
    (forkserver,) = children_of(worker.pid)
    children = worker.children()

    os.kill(worker.pid, signal.SIGKILL)
    os.kill(forkserver, signal.SIGKILL)

    wait_until(lambda: not any(map(is_alive, children)), "the orphans' end")


def test_a_child_is_replaced_after_so_many_tasks(app: cloudq.App, start: Start, path: Path):
    start("-c", "2", CLOUDQ_WORKER_MAX_TASKS_PER_CHILD="5")

    pids = worker_app.pid_after.delay_many([(str(path),)] * 40).get(timeout=20)

    runs = Counter(pids)
    assert len(lines(path)) == 40, "each ran once"
    assert max(runs.values()) == 5


def test_a_child_is_replaced_when_it_has_grown(app: cloudq.App, start: Start, path: Path):
    worker = start("-c", "1", CLOUDQ_WORKER_MAX_MEMORY_PER_CHILD="200000")

    small = worker_app.pid_after.delay(str(path)).get(timeout=20)
    large = worker_app.pid_after.delay(str(path), 250_000).get(timeout=20)
    wait_until(lambda: worker.events("child_replaced"), "the replacement")
    after = worker_app.pid_after.delay(str(path)).get(timeout=20)

    assert small == large != after
    assert not worker.events("child_ended"), "it ended by itself"


def test_what_a_task_prints_is_seen(app: cloudq.App, start: Start):
    worker = start("-c", "1")

    worker_app.say.delay("hello from a task").get(timeout=20)

    assert lines(worker.log).count("hello from a task") == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", "bad_body"),
        (b"[1, 2]", "bad_body"),
        (b'{"v":1,"id":"1"}', "bad_body"),
        (b'{"v":1,"id":"1","task":"worker_app.add","args":["1",2],"kwargs":{}}', "bad_arguments"),
    ],
)
def test_a_body_that_cannot_be_run_is_dead_lettered_with_its_reason(
    app: cloudq.App, start: Start, body: bytes, code: str
):
    app.declare("default")
    app.broker.send("default", [Outgoing(id="1", body=body)])

    assert start("--burst", "-c", "1").wait() == 0

    (dead,) = app.broker.receive(["default-dead"], limit=10, lease=60, wait=0)
    assert dead.body == body
    assert dead.reason is not None
    assert dead.reason.code == code
    assert dead.reason.queue == "default"


@pytest.mark.parametrize("body", [b'{"v":2,"id":"1"}', b'{"v":1,"id":"1","task":"worker_app.ad"}'])
def test_a_body_from_a_newer_deploy_waits(app: cloudq.App, start: Start, body: bytes):
    app.declare("default")
    app.broker.send("default", [Outgoing(id="1", body=body)])

    assert start("--burst", "-c", "1").wait() == 0

    stats = app.broker.stats("default")
    assert (stats.delayed, stats.dead) == (1, 0)


def test_a_worker_whose_queue_is_unknown_says_which_there_are(start: Start):
    worker = start("-Q", "defautl")

    assert worker.wait() == 2
    assert "has no queue 'defautl'. Did you mean 'default'?" in worker.log.read_text(encoding="utf-8")


def test_a_worker_that_cannot_receive_from_the_first_says_why_and_ends(start: Start):
    worker = start("--broker", "sqs://eu-west-1")

    assert worker.wait() == 2
    assert "No AWS credentials were found" in worker.log.read_text(encoding="utf-8")


def test_a_worker_whose_broker_is_away_says_where_it_looked(start: Start):
    worker = start("--broker", "sqs://eu-west-1?endpoint=http://localhost:1", **DUMMY_CREDENTIALS)

    assert worker.wait() == 1
    assert "http://localhost:1" in worker.log.read_text(encoding="utf-8")
