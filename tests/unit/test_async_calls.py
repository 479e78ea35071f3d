"""The async twins: calls of one turn share sends, results share a wait, and no loop is blocked."""

from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest

import cloudq
from cloudq.brokers.memory import MemoryBroker
from cloudq.clock import SystemClock
from cloudq.delivery import NotSent
from cloudq.errors import (
    ArgumentError,
    BrokerUnavailableError,
    ConfigurationError,
    MessageTooLargeError,
    NotAcceptedError,
    ResultError,
    ResultTimeoutError,
    TaskFailedError,
)
from cloudq.message import Message
from cloudq.request import Request, running
from cloudq.testing import in_memory
from cloudq.testing.inline import InlineWorker
from cloudq.testing.steps import PATIENCE, until


class WatchedBroker(MemoryBroker):
    """Queues in memory whose sends can be counted, held up and made to fail."""

    def __init__(self):
        super().__init__(SystemClock())
        self.batches = []
        self.threads = set()
        self.may_send = threading.Event()
        self.may_send.set()
        self.refuses = lambda message: None
        self.error = None
        self.is_sending = threading.Event()

    def send(self, queue, messages):
        self.is_sending.set()
        assert self.may_send.wait(PATIENCE)
        self.batches.append((queue, len(messages)))
        self.threads.add(threading.current_thread().name)
        if self.error is not None:
            raise self.error
        if any(len(message.body) > 10_000 for message in messages):
            raise MessageTooLargeError("too large", queue=queue, size_bytes=10_001, limit_bytes=10_000)
        answers = super().send(queue, messages)
        return [
            NotSent(why) if (why := self.refuses(one)) else answer
            for one, answer in zip(messages, answers, strict=True)
        ]


@pytest.fixture
def broker():
    return WatchedBroker()


@pytest.fixture
def app(broker):
    app = cloudq.App("shop", broker="memory://", backend="memory://", environ={})
    app._broker = broker

    @app.task(name="shop.double", retries=0)
    def double(number: int, text: str = "") -> int:
        if number < 0:
            raise ValueError(number)
        return 2 * number

    yield app
    app.close()


@pytest.fixture
def double(app):
    return app.tasks["shop.double"]


def drain(app):
    InlineWorker(app).drain()


class TestSending:
    def test_what_is_gathered_is_sent_together_in_one_thread(self, app, broker, double):
        async def send():
            return await asyncio.gather(*(double.adelay(number) for number in range(100)))

        results = asyncio.run(send())

        assert len({result.id for result in results}) == 100
        assert broker.batches == [("default", 100)]
        assert broker.threads == {"cloudq-send"}
        assert app.stats("default").ready == 100

    def test_what_comes_during_a_send_goes_together_next_time(self, app, broker, double):
        async def send():
            broker.may_send.clear()
            first = asyncio.create_task(double.adelay(0))
            await asyncio.to_thread(broker.is_sending.wait, PATIENCE)
            later = []
            for number in range(1, 6):
                later.append(asyncio.create_task(double.adelay(number)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            broker.may_send.set()
            await asyncio.gather(first, *later)

        asyncio.run(send())

        assert broker.batches == [("default", 1), ("default", 5)]

    def test_a_slow_broker_does_not_block_the_loop(self, app, broker, double):
        async def send():
            broker.may_send.clear()
            sending = asyncio.create_task(double.adelay(1))
            await asyncio.sleep(0)
            turns = 0
            while not broker.is_sending.is_set() or turns < 10:
                await asyncio.sleep(0)
                turns += 1
            assert not sending.done()
            broker.may_send.set()
            return await sending

        assert asyncio.run(send()).task == "shop.double"

    def test_options_are_those_of_the_twin(self, app, double):
        async def send():
            return await double.aapply_async((1,), countdown=60, queue="other", task_id="mine")

        assert asyncio.run(send()).id == "mine"
        assert app.stats("other").delayed == 1

    def test_many_are_sent_at_once(self, app, broker, double):
        async def send():
            return await double.adelay_many([(1,), {"number": 2}])

        results = asyncio.run(send())
        drain(app)

        assert broker.batches == [("default", 2)]
        assert results.get(timeout=0) == [2, 4]

    def test_an_argument_that_does_not_fit_is_the_callers_alone(self, app, double):
        async def send():
            return await asyncio.gather(double.adelay(1), double.adelay("x"), return_exceptions=True)

        good, bad = asyncio.run(send())

        assert isinstance(bad, ArgumentError)
        assert good.task == "shop.double"
        assert app.stats("default").ready == 1

    def test_a_refusal_is_told_to_whom_it_concerns(self, app, broker, double):
        broker.refuses = lambda message: "full" if b"[13" in message.body else None

        async def send():
            calls = (double.adelay(number) for number in range(10, 16))
            return await asyncio.gather(*calls, return_exceptions=True)

        answers = asyncio.run(send())

        assert [isinstance(one, NotAcceptedError) for one in answers] == [
            False, False, False, True, False, False
        ]  # fmt: skip
        assert "1 of 1 messages" in str(answers[3])

    def test_one_that_is_too_large_leaves_the_others_alone(self, app, double):
        async def send():
            calls = [double.adelay(1), double.adelay(2, "x" * 20_000), double.adelay(3)]
            return await asyncio.gather(*calls, return_exceptions=True)

        _, large, _ = asyncio.run(send())

        assert isinstance(large, MessageTooLargeError)
        assert app.stats("default").ready == 2

    def test_a_priority_that_is_not_there_leaves_the_others_alone(self, app, double):
        async def send():
            calls = [double.adelay(1), double.aapply_async((2,), priority=1)]
            return await asyncio.gather(*calls, return_exceptions=True)

        _, wrong = asyncio.run(send())

        assert isinstance(wrong, ArgumentError)
        assert app.stats("default").ready == 1

    @pytest.mark.parametrize("error", [BrokerUnavailableError("down"), RuntimeError("a driver's own")])
    def test_a_broker_out_of_reach_is_told_to_all_and_the_next_call_tries_anew(
        self, app, broker, double, error
    ):
        broker.error = error

        async def send():
            return await asyncio.gather(double.adelay(1), double.adelay(2), return_exceptions=True)

        assert [type(one) for one in asyncio.run(send())] == [type(error)] * 2
        broker.error = None
        asyncio.run(send())
        assert app.stats("default").ready == 2

    def test_who_is_cancelled_in_time_has_sent_nothing_and_others_are_untouched(self, app, broker, double):
        async def send():
            cancelled, kept = (asyncio.ensure_future(double.adelay(number)) for number in (1, 2))
            await asyncio.sleep(0)  # both have begun, and the turn isn't over
            cancelled.cancel()
            return await asyncio.gather(cancelled, kept, return_exceptions=True)

        cancelled, kept = asyncio.run(send())

        assert isinstance(cancelled, asyncio.CancelledError)
        assert kept.task == "shop.double"

    def test_who_is_cancelled_during_the_send_stops_waiting_at_once(self, app, broker, double):
        async def send():
            broker.may_send.clear()
            sending = [asyncio.create_task(double.adelay(number)) for number in (1, 2)]
            await asyncio.to_thread(broker.is_sending.wait, PATIENCE)
            sending[0].cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending[0]
            broker.may_send.set()
            await sending[1]

        asyncio.run(send())

        assert app.stats("default").ready == 2

    def test_several_loops_send_at_the_same_time(self, app, double):
        def run():
            async def send():
                await asyncio.gather(*(double.adelay(number) for number in range(50)))

            asyncio.run(send())

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)

        assert app.stats("default").ready == 200

    def test_one_loop_after_another_sends(self, app, double):
        for _ in range(3):
            asyncio.run(double.adelay(1))

        assert app.stats("default").ready == 3

    def test_a_loop_that_ended_before_the_answer_troubles_nobody(self, app, broker, double):
        async def leave():
            broker.may_send.clear()
            asyncio.get_running_loop().create_task(double.adelay(1))
            await asyncio.to_thread(broker.is_sending.wait, PATIENCE)

        asyncio.run(leave())  # cancels what is left, and closes the loop
        broker.may_send.set()
        asyncio.run(double.adelay(2))

        assert app.stats("default").ready == 2

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_a_forked_child_sends_too(self, tmp_path):
        app = cloudq.App("shop", broker=f"sqlite:///{tmp_path / 'queue.db'}", environ={})

        @app.task(name="shop.nothing")
        def nothing() -> None: ...

        asyncio.run(nothing.adelay())
        child = os.fork()
        if not child:
            status = 1
            try:
                asyncio.run(asyncio.wait_for(nothing.adelay(), PATIENCE))
                status = 0
            finally:
                os._exit(status)

        assert os.waitpid(child, 0)[1] == 0
        asyncio.run(nothing.adelay())
        assert app.stats("default").ready == 3
        app.close()

    def test_asyncio_is_loaded_for_those_only_who_await(self):
        import subprocess

        program = (
            "import sys, cloudq, cloudq.app\n"
            "app = cloudq.App('shop', broker='memory://', environ={})\n"
            "@app.task\ndef nothing() -> None: ...\n"
            "nothing.delay()\n"
            "assert 'asyncio' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", program], check=True)


def test_no_thread_outlives_a_closed_app_for_long(app, double):
    before = set(threading.enumerate())

    async def call():
        result = await double.adelay(4)
        await asyncio.to_thread(drain, app)
        await result.aget(timeout=PATIENCE)

    asyncio.run(call())
    app.close()

    until(lambda: set(threading.enumerate()) <= before, "end of the threads")


class TestResults:
    def test_a_result_is_awaited(self, app, double):
        async def call():
            result = await double.adelay(4)
            waiting = asyncio.create_task(result.aget(timeout=PATIENCE))
            await asyncio.to_thread(drain, app)
            return await waiting

        assert asyncio.run(call()) == 8

    def test_a_hundred_share_one_thread(self, app, double):
        before = set(threading.enumerate())

        async def call():
            results = await asyncio.gather(*(double.adelay(number) for number in range(100)))
            waiting = [asyncio.create_task(result.aget(timeout=PATIENCE)) for result in results]
            await asyncio.sleep(0)
            threads = set(threading.enumerate()) - before
            await asyncio.to_thread(drain, app)
            return await asyncio.gather(*waiting), [thread.name for thread in threads]

        values, names = asyncio.run(call())

        assert values == [2 * number for number in range(100)]
        assert sorted(names) == ["cloudq-await", "cloudq-send"]

    def test_who_comes_later_is_waited_for_too(self, app, double):
        async def call():
            never = asyncio.create_task(double.result("never-sent").aget(timeout=PATIENCE))
            await asyncio.sleep(0)
            result = await double.adelay(3)
            await asyncio.to_thread(drain, app)
            try:
                return await result.aget(timeout=PATIENCE)
            finally:
                never.cancel()

        assert asyncio.run(call()) == 6

    def test_a_failure_is_raised_with_its_error(self, app, double):
        async def call():
            result = await double.adelay(-1)
            await asyncio.to_thread(drain, app)
            await result.aget(timeout=PATIENCE)

        with pytest.raises(TaskFailedError, match="ValueError: -1"):
            asyncio.run(call())

    @pytest.mark.parametrize("timeout", [0, 0.02])
    def test_what_does_not_come_in_time_is_a_timeout_as_get_has_it(self, double, timeout):
        async def call():
            result = await double.adelay(1)
            await result.aget(timeout=timeout)

        with pytest.raises(ResultTimeoutError, match="has no result after"):
            asyncio.run(call())

    def test_what_is_there_already_needs_no_time(self, app, double):
        result = double.delay(5)
        drain(app)

        assert asyncio.run(result.aget(timeout=0)) == 10

    def test_a_group_is_awaited_in_its_order(self, app, double):
        async def call():
            results = await double.adelay_many([(number,) for number in range(20)])
            await asyncio.to_thread(drain, app)
            return await results.aget(timeout=PATIENCE)

        assert asyncio.run(call()) == [2 * number for number in range(20)]

    def test_a_group_of_which_some_are_missing_says_how_many(self, app, double):
        async def call():
            results = await double.adelay_many([(1,), (2,)])
            await results.aget(timeout=0.02)

        with pytest.raises(ResultTimeoutError, match="2 of 2 results are missing"):
            asyncio.run(call())

    def test_without_a_backend_the_setting_is_named(self):
        app = cloudq.App("shop", broker="memory://", environ={})

        @app.task(name="shop.nothing")
        def nothing() -> None: ...

        async def call():
            await (await nothing.adelay()).aget()

        with pytest.raises(ConfigurationError, match="result_backend"):
            asyncio.run(call())
        app.close()

    def test_inside_a_task_it_is_refused_unless_allowed(self, app, double):
        result = double.delay(2)
        drain(app)
        message = Message(id="1", task="double")
        request = Request(message=message, queue="", retries=0, receive_count=1, monotonic=lambda: 0.0)
        token = running.set(request)
        try:
            with pytest.raises(ResultError, match="allow_in_task"):
                asyncio.run(result.aget())
            assert asyncio.run(result.aget(allow_in_task=True)) == 4
        finally:
            running.reset(token)

    def test_a_backend_that_fails_is_told_to_all_and_asked_anew_the_next_time(self, app, double):
        class Broken(Exception):
            pass

        store, real = app.results, app.results.backend.get_many
        result = double.delay(2)
        drain(app)

        def fail(keys):
            raise Broken

        store.backend.get_many = fail

        async def call():
            return await asyncio.gather(result.aget(), result.aget(), return_exceptions=True)

        assert [type(one) for one in asyncio.run(call())] == [Broken] * 2
        store.backend.get_many = real
        assert asyncio.run(result.aget()) == 4

    def test_who_is_cancelled_is_forgotten(self, app, double):
        async def call():
            waiting = asyncio.create_task(double.result("never-sent").aget())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

        asyncio.run(call())

        watcher = app.results._watcher.get()
        until(lambda: not watcher._awaited, "an empty list")

    def test_an_app_in_memory_is_awaited_as_well(self, double, app):
        with in_memory(app):

            async def call():
                result = await double.adelay(7)
                await asyncio.to_thread(drain, app)
                return await result.aget()

            assert asyncio.run(call()) == 14


class TestCoroutineTasks:
    def test_a_coroutine_function_is_called_sent_and_awaited(self, app):
        @app.task(name="shop.fetch")
        async def fetch(url: str) -> str:
            await asyncio.sleep(0)
            return url.upper()

        async def call():
            here = await fetch("a")
            result = await fetch.adelay("b")
            await asyncio.to_thread(drain, app)
            return here, await result.aget(timeout=PATIENCE)

        assert asyncio.run(call()) == ("A", "B")
